"""From the settings of a Gemini Live session to its first message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.gemini_config import GeminiConfig, VertexConfig
from telephony.realtime.gemini_wire import resource_name
from telephony.realtime.wire import JsonObject


def setup_of(
    config: GeminiConfig,
    instructions: str,
    tools: Iterable[FunctionTool],
    *,
    handle: str = "",
    with_history: bool = False,
) -> JsonObject:
    """Return the ``setup`` message's content.

    ``handle`` resumes a session. ``with_history``: the first clientContent is what was said so far.
    """
    setup: JsonObject = {
        "model": model_name(config),
        "generationConfig": dict(_generation(config)),
        "realtimeInputConfig": dict(_realtime_input(config)),
    }
    if instructions:
        setup["systemInstruction"] = {"parts": [{"text": instructions}]}
    wire_tools = tools_of(config, tools)
    if wire_tools:
        setup["tools"] = wire_tools
    if config.session_resumption:
        setup["sessionResumption"] = dict(_resumption(config, handle))
    setup.update(_options(config))
    if with_history:
        setup["historyConfig"] = {"initialHistoryInClientContent": True}
    return setup


def model_name(config: GeminiConfig) -> str:
    if isinstance(config, VertexConfig) and "/" not in config.model:
        place = f"projects/{config.project}/locations/{config.location}"
        return f"{place}/publishers/google/models/{config.model}"
    return resource_name(config.model)


def tools_of(config: GeminiConfig, tools: Iterable[FunctionTool]) -> list[JsonObject]:
    """Return the ``tools`` of a session: our functions, and what the provider runs."""
    wire: list[JsonObject] = []
    declarations = [_declaration(config, tool) for tool in tools]
    if declarations:
        wire.append({"functionDeclarations": declarations})
    if config.google_search:
        wire.append({"googleSearch": {}})
    return wire


def _declaration(config: GeminiConfig, tool: FunctionTool) -> JsonObject:
    declaration: JsonObject = {"name": tool.name, "description": tool.description}
    if tool.parameters.get("properties"):
        declaration["parametersJsonSchema"] = tool.parameters
    if config.functions is not None:
        declaration["behavior"] = config.functions.upper()
    return declaration


def _generation(config: GeminiConfig) -> Iterator[tuple[str, Any]]:
    yield "responseModalities", ["AUDIO"]
    speech: JsonObject = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": config.voice}}}
    if config.language_code is not None:
        speech["languageCode"] = config.language_code
    yield "speechConfig", speech
    yield from _given(
        temperature=config.temperature,
        topP=config.top_p,
        topK=config.top_k,
        maxOutputTokens=config.max_output_tokens,
        seed=config.seed,
        enableAffectiveDialog=config.affective_dialog,
    )
    if (thinking := config.thinking) is not None:
        fields = _given(
            thinkingLevel=thinking.level and thinking.level.upper(),
            thinkingBudget=thinking.budget_tokens,
            includeThoughts=thinking.include_thoughts,
        )
        yield "thinkingConfig", dict(fields)
    if (translation := config.translation) is not None:
        fields = _given(
            targetLanguageCode=translation.target_language_code,
            echoTargetLanguage=translation.echo_target_language,
        )
        yield "translationConfig", dict(fields)


def _realtime_input(config: GeminiConfig) -> Iterator[tuple[str, Any]]:
    detection = config.turn_detection
    if detection is None:
        yield "automaticActivityDetection", {"disabled": True}
    else:
        start, end = detection.start_sensitivity, detection.end_sensitivity
        fields = _given(
            startOfSpeechSensitivity=start and f"START_SENSITIVITY_{start.upper()}",
            endOfSpeechSensitivity=end and f"END_SENSITIVITY_{end.upper()}",
            prefixPaddingMs=detection.prefix_padding_ms,
            silenceDurationMs=detection.silence_duration_ms,
        )
        yield "automaticActivityDetection", dict(fields)
    yield "activityHandling", config.activity_handling.upper()
    if config.turn_coverage is not None:
        yield "turnCoverage", config.turn_coverage.upper()


def _resumption(config: GeminiConfig, handle: str) -> Iterator[tuple[str, Any]]:
    yield from _given(handle=handle or None, transparent=config.transparent_resumption)


def _options(config: GeminiConfig) -> Iterator[tuple[str, Any]]:
    if (compression := config.context_compression) is not None:
        window = dict(_given(targetTokens=compression.target_tokens))
        trigger = dict(_given(triggerTokens=compression.trigger_tokens))
        yield "contextWindowCompression", {**trigger, "slidingWindow": window}
    if (transcription := config.transcription) is not None:
        fields = _given(
            languageCodes=list(transcription.language_codes) or None,
            customVocabulary=list(transcription.custom_vocabulary) or None,
        )
        yield "inputAudioTranscription", dict(fields)
    if config.output_transcription:
        yield "outputAudioTranscription", {}
    if config.proactive_audio is not None:
        yield "proactivity", {"proactiveAudio": config.proactive_audio}
    if config.safety_settings:
        settings = [
            {"category": s.category, "threshold": s.threshold} for s in config.safety_settings
        ]
        yield "safetySettings", settings
    if config.labels:
        yield "labels", dict(config.labels)
    if isinstance(config, VertexConfig) and config.explicit_vad_signal is not None:
        yield "explicitVadSignal", config.explicit_vad_signal


def _given(**fields: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields that are not left to the server."""
    return ((name, value) for name, value in fields.items() if value is not None)
