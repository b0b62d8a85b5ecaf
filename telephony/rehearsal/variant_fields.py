"""What clients of servers that vary OpenAI Realtime may set; all else is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from telephony.rehearsal.session_fields import (
    Audio,
    AudioOutput,
    Fields,
    FunctionTool,
    McpTool,
    Pcma,
    Pcmu,
    SessionFields,
    ToolChoice,
)


class RatedPcm(Fields):
    type: Literal["audio/pcm"]
    rate: Literal[8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000] = 24000


Format = Annotated[RatedPcm | Pcmu | Pcma, Field(discriminator="type")]


# A server of one's own


class LocalOutput(AudioOutput):
    voice: str = "default"  # type: ignore[assignment]


class LocalAudio(Audio):
    output: LocalOutput = Field(default=None)  # type: ignore[assignment]


class LocalSession(SessionFields):
    audio: LocalAudio = Field(default=None)  # type: ignore[assignment]


# xAI


class XaiVad(Fields):
    type: Literal["server_vad"]
    threshold: float = Field(0.5, ge=0.1, le=0.9)
    prefix_padding_ms: int = Field(300, ge=0)
    silence_duration_ms: int = Field(500, ge=0)
    idle_timeout_ms: int | None = Field(None, gt=0)


class XaiTranscription(Fields):
    model: str | None = None
    language_hint: str | None = None
    keyterms: list[str] | None = None


class XaiInput(Fields):
    format: Format = Field(default=None)  # type: ignore[assignment]
    transcription: XaiTranscription | None = None


class XaiOutput(Fields):
    format: Format = Field(default=None)  # type: ignore[assignment]
    speed: float = Field(1.0, ge=0.7, le=1.5)


class XaiAudio(Fields):
    input: XaiInput = Field(default=None)  # type: ignore[assignment]
    output: XaiOutput = Field(default=None)  # type: ignore[assignment]


class XaiReasoning(Fields):
    effort: Literal["none", "high"]


class SearchTool(Fields):
    type: Literal["web_search", "x_search", "file_search"]
    allowed_x_handles: list[str] | None = None
    vector_store_ids: list[str] | None = None
    max_num_results: int | None = None


class XaiSession(Fields):
    instructions: str = ""
    voice: str = "eve"
    turn_detection: XaiVad | None = None
    audio: XaiAudio = Field(default=None)  # type: ignore[assignment]
    tools: list[Annotated[FunctionTool | McpTool | SearchTool, Field(discriminator="type")]] = (
        Field(default_factory=list)
    )
    reasoning: XaiReasoning | None = None
    replace: dict[str, str] | None = None


class XaiResponse(Fields):
    modalities: list[Literal["text", "audio"]] | None = None
    instructions: str | None = None


# Inworld


class InworldDetection(Fields):
    type: Literal["server_vad", "semantic_vad"]
    eagerness: Literal["low", "medium", "high"] = "medium"
    create_response: bool = True
    interrupt_response: bool = True


class InworldTranscription(Fields):
    model: str | None = None


class InworldInput(Fields):
    format: Format = Field(default=None)  # type: ignore[assignment]
    transcription: InworldTranscription | None = None
    turn_detection: InworldDetection | None = None


class InworldOutput(Fields):
    format: Format = Field(default=None)  # type: ignore[assignment]
    model: str | None = None
    voice: str | None = None
    speed: float = 1.0


class InworldAudio(Fields):
    input: InworldInput = Field(default=None)  # type: ignore[assignment]
    output: InworldOutput = Field(default=None)  # type: ignore[assignment]


class InworldSession(Fields):
    type: Literal["realtime"]
    model: str | None = None
    instructions: str = ""
    output_modalities: list[Literal["audio", "text"]] | None = None
    audio: InworldAudio = Field(default=None)  # type: ignore[assignment]
    tools: list[FunctionTool] = Field(default_factory=list)
    providerData: dict[str, Any] | None = None  # noqa: N815 - a name on the wire


class InworldResponse(Fields):
    output_modalities: list[Literal["audio", "text"]] | None = None
    instructions: str | None = None


# Azure Voice Live


class EndOfUtterance(Fields):
    model: str
    threshold_level: Literal["low", "medium", "high", "default"] | None = None
    timeout_ms: int | None = None


class VoiceLiveDetection(Fields):
    type: Literal[
        "server_vad",
        "azure_semantic_vad",
        "azure_semantic_vad_en",
        "azure_semantic_vad_multilingual",
    ]
    threshold: float = Field(0.5, ge=0, le=1)
    prefix_padding_ms: int = Field(300, ge=0)
    silence_duration_ms: int = Field(500, ge=0)
    speech_duration_ms: int | None = None
    remove_filler_words: bool | None = None
    languages: list[str] | None = None
    end_of_utterance_detection: EndOfUtterance | None = None
    auto_truncate: bool | None = None
    create_response: bool = True
    interrupt_response: bool = True


class AzureVoice(Fields):
    type: Literal["azure-standard", "azure-custom", "azure-personal", "openai"]
    name: str
    endpoint_id: str | None = None
    model: str | None = None
    temperature: float | None = None
    locale: str | None = None
    prefer_locales: list[str] | None = None
    style: str | None = None
    pitch: str | None = None
    rate: str | None = None
    volume: str | None = None
    custom_lexicon_url: str | None = None


class AzureTranscription(Fields):
    model: str
    language: str | None = None
    phrase_list: list[str] | None = None
    custom_speech: dict[str, str] | None = None


class AzureNoiseReduction(Fields):
    type: Literal["azure_deep_noise_suppression", "near_field", "far_field"]


class EchoCancellation(Fields):
    type: Literal["server_echo_cancellation"]


FlatModalities = list[Literal["text", "audio"]]
G711 = Literal["g711_ulaw", "g711_alaw"]


class VoiceLiveSession(Fields):
    modalities: FlatModalities = Field(default_factory=list)
    instructions: str = ""
    voice: str | AzureVoice | None = None
    input_audio_format: Literal["pcm16"] | G711 = "pcm16"
    output_audio_format: Literal["pcm16", "pcm16_8000hz", "pcm16_16000hz"] | G711 = "pcm16"
    input_audio_sampling_rate: Literal[16000, 24000] = 24000
    turn_detection: VoiceLiveDetection | None = None
    input_audio_transcription: AzureTranscription | None = None
    input_audio_noise_reduction: AzureNoiseReduction | None = None
    input_audio_echo_cancellation: EchoCancellation | None = None
    tools: list[Annotated[FunctionTool | McpTool, Field(discriminator="type")]] = Field(
        default_factory=list
    )
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool | None = None
    temperature: float | None = None
    max_response_output_tokens: int | Literal["inf"] = "inf"
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None


class VoiceLiveResponse(Fields):
    modalities: FlatModalities | None = None
    instructions: str | None = None
    tool_choice: str | None = None
    metadata: dict[str, str] | None = None


# Qwen-Omni


class QwenFunction(Fields):
    type: Literal["function"]
    function: QwenDefinition


class QwenDefinition(Fields):
    name: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


class QwenDetection(Fields):
    type: Literal["server_vad", "semantic_vad"]
    threshold: float = Field(0.5, ge=-1, le=1)
    prefix_padding_ms: int = Field(300, ge=0)
    silence_duration_ms: int = Field(800, ge=200, le=6000)


class QwenTranscription(Fields):
    model: str | None = None


class QwenSession(Fields):
    modalities: FlatModalities = Field(default_factory=list)
    instructions: str = ""
    voice: str | None = None
    input_audio_format: Literal["pcm", "pcm16"] = "pcm16"
    output_audio_format: Literal["pcm", "pcm16", "pcm24"] = "pcm16"
    turn_detection: QwenDetection | None = None
    input_audio_transcription: QwenTranscription | None = None
    temperature: float | None = Field(None, ge=0, lt=2)
    max_tokens: int | None = Field(None, gt=0)
    enable_search: bool | None = None
    tools: list[QwenFunction] = Field(default_factory=list)


class QwenResponse(Fields):
    modalities: FlatModalities | None = None
    instructions: str | None = None


class QwenOutputItem(Fields):
    type: Literal["function_call_output"]
    call_id: str
    output: str
