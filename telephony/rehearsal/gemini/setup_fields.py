"""The setup message: what may be in it, and what the models of the family refuse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from telephony.realtime.gemini_config import DEFAULT_MODEL, EXTENDED_THINKING, VOICES
from telephony.realtime.gemini_wire import short_name
from telephony.rehearsal.gemini.refusal import POLICY_VIOLATION, RefusedError, invalid
from telephony.rehearsal.settings import TurnDetection

_SILENCE_MS = {"HIGH": 500, "LOW": 800}
_THRESHOLD = {"HIGH": 0.5, "LOW": 0.7}


class Wire(BaseModel):
    """An object of the protocol; an unknown key in it is an error."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


T = TypeVar("T", bound=Wire)


class PrebuiltVoice(Wire):
    voice_name: str


class VoiceConfig(Wire):
    prebuilt_voice_config: PrebuiltVoice | None = None


class SpeechConfig(Wire):
    voice_config: VoiceConfig | None = None
    language_code: str | None = None


class ThinkingConfig(Wire):
    thinking_level: Literal["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"] | None = None
    thinking_budget: int | None = None
    include_thoughts: bool | None = None


class TranslationConfig(Wire):
    target_language_code: str
    echo_target_language: bool | None = None


class GenerationConfig(Wire):
    response_modalities: tuple[Literal["AUDIO", "TEXT"], ...] = ("AUDIO",)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: float | None = Field(None, gt=0)
    max_output_tokens: int | None = Field(None, gt=0)
    seed: int | None = None
    media_resolution: str | None = None
    speech_config: SpeechConfig | None = None
    thinking_config: ThinkingConfig | None = None
    translation_config: TranslationConfig | None = None
    enable_affective_dialog: bool | None = None


class Part(Wire):
    text: str | None = None
    inline_data: dict[str, Any] | None = None


class Content(Wire):
    parts: tuple[Part, ...] = ()
    role: str | None = None

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.parts if part.text)


class FunctionDeclaration(Wire):
    name: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None
    parameters_json_schema: Any = None
    response: dict[str, Any] | None = None
    response_json_schema: Any = None
    behavior: Literal["BLOCKING", "NON_BLOCKING"] | None = None


class Tool(Wire):
    function_declarations: tuple[FunctionDeclaration, ...] = ()
    google_search: dict[str, Any] | None = None
    code_execution: dict[str, Any] | None = None
    url_context: dict[str, Any] | None = None


class ActivityDetection(Wire):
    disabled: bool = False
    start_of_speech_sensitivity: (
        Literal["START_SENSITIVITY_HIGH", "START_SENSITIVITY_LOW"] | None
    ) = None
    end_of_speech_sensitivity: Literal["END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW"] | None = None
    prefix_padding_ms: int | None = Field(None, ge=0)
    silence_duration_ms: int | None = Field(None, ge=0)


class RealtimeInputConfig(Wire):
    automatic_activity_detection: ActivityDetection = ActivityDetection.model_validate({})
    activity_handling: Literal["START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"] = (
        "START_OF_ACTIVITY_INTERRUPTS"
    )
    turn_coverage: (
        Literal[
            "TURN_INCLUDES_ONLY_ACTIVITY",
            "TURN_INCLUDES_ALL_INPUT",
            "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
        ]
        | None
    ) = None


class SessionResumption(Wire):
    handle: str | None = None
    transparent: bool | None = None


class SlidingWindow(Wire):
    target_tokens: int | None = Field(None, gt=0)


class Compression(Wire):
    trigger_tokens: int | None = Field(None, gt=0)
    sliding_window: SlidingWindow | None = None


class Transcription(Wire):
    language_codes: tuple[str, ...] = ()
    custom_vocabulary: tuple[str, ...] = ()


class Proactivity(Wire):
    proactive_audio: bool | None = None


class HistoryConfig(Wire):
    initial_history_in_client_content: bool = False


class Setup(Wire):
    """A whole setup, validated as far as one can without knowing the model."""

    model: str
    generation_config: GenerationConfig = GenerationConfig.model_validate({})
    system_instruction: Content | None = None
    tools: tuple[Tool, ...] = ()
    realtime_input_config: RealtimeInputConfig = RealtimeInputConfig.model_validate({})
    session_resumption: SessionResumption | None = None
    context_window_compression: Compression | None = None
    input_audio_transcription: Transcription | None = None
    output_audio_transcription: Transcription | None = None
    proactivity: Proactivity | None = None
    history_config: HistoryConfig | None = None
    safety_settings: tuple[dict[str, Any], ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    explicit_vad_signal: bool | None = None

    @property
    def short(self) -> str:
        return short_name(self.model)

    @property
    def is_3_8(self) -> bool:
        return self.short.startswith(DEFAULT_MODEL)

    @property
    def interrupts(self) -> bool:
        return self.realtime_input_config.activity_handling == "START_OF_ACTIVITY_INTERRUPTS"

    @property
    def seeds_history(self) -> bool:
        config = self.history_config
        return config is not None and config.initial_history_in_client_content

    def detection(self, *, vertex: bool) -> TurnDetection | None:
        """Return what finds the caller's turns; None when the client marks them."""
        given = self.realtime_input_config.automatic_activity_detection
        if given.disabled:
            return None
        usual = "LOW" if vertex else "HIGH"
        start = (given.start_of_speech_sensitivity or usual).rpartition("_")[2]
        end = (given.end_of_speech_sensitivity or usual).rpartition("_")[2]
        return TurnDetection(
            threshold=_THRESHOLD[start],
            prefix_padding_ms=300,
            silence_duration_ms=given.silence_duration_ms or _SILENCE_MS[end],
            idle_timeout_ms=None,
            create_response=True,
            interrupt_response=self.interrupts,
        )


def blocking_tools(tools: Iterable[Tool], *, is_3_8: bool) -> dict[str, bool]:
    """Return for each function whether the model waits for its output."""
    usual = "NON_BLOCKING" if is_3_8 else "BLOCKING"
    return {
        declared.name: (declared.behavior or usual) == "BLOCKING"
        for tool in tools
        for declared in tool.function_declarations
    }


def read_setup(data: Any, version: str, *, vertex: bool) -> Setup:
    """Return a setup as the model takes it; raises RefusedError for any other."""
    setup = read(Setup, data, "setup")
    _check_model(setup, version)
    _check_generation(setup)
    _check_tools(setup.tools)
    if not vertex:
        resumption = setup.session_resumption
        if resumption is not None and resumption.transparent is not None:
            invalid("transparent session resumption is not supported by the Gemini API.")
        if setup.explicit_vad_signal is not None:
            invalid("explicit_vad_signal is not supported by the Gemini API.")
    return setup


def read(kind: type[T], data: Any, place: str) -> T:
    """Return an object of the protocol; raises RefusedError naming the first fault in it."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, (place, *fault["loc"])))
        if fault["type"] == "extra_forbidden":
            name = fault["loc"][-1]
            invalid(f'Invalid JSON payload received. Unknown name "{name}" at {where!r}.')
        invalid(f"Invalid value at {where!r}: {fault['msg']}")


def _check_model(setup: Setup, version: str) -> None:
    name = setup.short
    live = "live" in name or "native-audio" in name
    if not (name.startswith("gemini-") and live and "/" in setup.model):
        raise RefusedError(
            POLICY_VIOLATION,
            f"{setup.model} is not found for API version {version}, or is not supported for"
            " bidiGenerateContent.",
        )


def _check_generation(setup: Setup) -> None:
    config = setup.generation_config
    speech = config.speech_config
    voice = speech.voice_config.prebuilt_voice_config if speech and speech.voice_config else None
    if voice is not None and voice.voice_name not in VOICES:
        invalid(f"Requested voice api_name '{voice.voice_name}' is not available.")
    if config.response_modalities != ("AUDIO",):
        invalid("The requested combination of response modalities is not supported by the model.")
    level = config.thinking_config.thinking_level if config.thinking_config else None
    if setup.short == DEFAULT_MODEL and level is not None:
        invalid("Thinking level is not supported for this model.")
    if setup.short == EXTENDED_THINKING and level is None:
        invalid("Thinking level is required for this model.")
    proactivity = setup.proactivity
    if setup.is_3_8 and proactivity is not None and proactivity.proactive_audio is False:
        invalid("Proactive audio cannot be turned off for this model.")
    if setup.is_3_8 and config.enable_affective_dialog is not None:
        invalid("Affective dialog is not supported for this model.")


def _check_tools(tools: Iterable[Tool]) -> None:
    for tool in tools:
        for declared in tool.function_declarations:
            if declared.parameters is not None and declared.parameters_json_schema is not None:
                invalid("parameters and parameters_json_schema are mutually exclusive.")
