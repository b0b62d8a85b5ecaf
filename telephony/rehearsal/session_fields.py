"""The fields a client may set in ``session.update``, as pydantic models that forbid the rest."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Voice = Literal[
    "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"
]
_KEYWORD_MODELS = ("gpt-transcribe", "gpt-live-transcribe")
_DELAY_MODEL = "gpt-realtime-whisper"

Modalities = list[Literal["text", "audio"]]
MaxTokens = Annotated[int, Field(ge=1, le=4096)] | Literal["inf"]


class Fields(BaseModel):
    """Base of every object a client sends: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Pcm(Fields):
    type: Literal["audio/pcm"]
    rate: Literal[24000] = 24000


class Pcmu(Fields):
    type: Literal["audio/pcmu"]


class Pcma(Fields):
    type: Literal["audio/pcma"]


Format = Annotated[Pcm | Pcmu | Pcma, Field(discriminator="type")]


class ServerVad(Fields):
    type: Literal["server_vad"]
    threshold: float = Field(0.5, ge=0.0, le=1.0)
    prefix_padding_ms: int = Field(300, ge=0)
    silence_duration_ms: int = Field(500, ge=0)
    idle_timeout_ms: int | None = Field(None, gt=0)
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(Fields):
    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


TurnDetection = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class Transcription(Fields):
    model: str | None = None
    language: str | None = None
    languages: list[str] | None = None
    prompt: str | None = None
    keywords: list[str] | None = None
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None

    @model_validator(mode="after")
    def _fits_model(self) -> Transcription:
        if self.language and self.languages:
            raise ValueError("language and languages exclude each other")
        if (self.keywords or self.languages) and self.model not in _KEYWORD_MODELS:
            raise ValueError(f"keywords and languages are not supported by {self.model}")
        if self.delay and self.model != _DELAY_MODEL:
            raise ValueError(f"delay is not supported by {self.model}")
        if self.prompt is not None and self.model == _DELAY_MODEL:
            raise ValueError(f"prompt is not supported by {self.model}")
        return self


class NoiseReduction(Fields):
    type: Literal["near_field", "far_field"]
    strength: float = 1.0


class AudioInput(Fields):
    format: Format = Field(default=None)  # type: ignore[assignment]
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: TurnDetection | None = None


class VoiceId(Fields):
    id: str


class AudioOutput(Fields):
    format: Format = Field(default=None)  # type: ignore[assignment]
    voice: Voice | VoiceId = "marin"
    speed: float = Field(1.0, ge=0.25, le=1.5)


class Audio(Fields):
    input: AudioInput = Field(default=None)  # type: ignore[assignment]
    output: AudioOutput = Field(default=None)  # type: ignore[assignment]


class FunctionTool(Fields):
    type: Literal["function"]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


class AllowedTools(Fields):
    tool_names: list[str] | None = None
    read_only: bool | None = None


class ApprovalFilter(Fields):
    always: AllowedTools | None = None
    never: AllowedTools | None = None


class McpTool(Fields):
    """Listed and called as the scenario says: this model has no network."""

    type: Literal["mcp"]
    server_label: str
    server_url: str | None = None
    connector_id: str | None = None
    tunnel_id: str | None = None
    authorization: str | None = None
    headers: dict[str, str] | None = None
    allowed_tools: list[str] | AllowedTools | None = None
    require_approval: Literal["always", "never"] | ApprovalFilter | None = None
    server_description: str | None = None
    defer_loading: bool | None = None
    allowed_callers: list[str] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> McpTool:
        places = (self.server_url, self.connector_id, self.tunnel_id)
        if sum(place is not None for place in places) != 1:
            raise ValueError("one of server_url, connector_id and tunnel_id is required")
        return self


Tool = Annotated[FunctionTool | McpTool, Field(discriminator="type")]


class ChosenFunction(Fields):
    type: Literal["function"]
    name: str


class ChosenMcp(Fields):
    type: Literal["mcp"]
    server_label: str
    name: str | None = None


ToolChoice = (
    Literal["auto", "none", "required"]
    | Annotated[ChosenFunction | ChosenMcp, Field(discriminator="type")]
)


class Reasoning(Fields):
    effort: Literal["minimal", "low", "medium", "high", "xhigh"]


class RetentionRatio(Fields):
    type: Literal["retention_ratio"]
    retention_ratio: float = Field(ge=0.0, le=1.0)
    token_limits: dict[str, int] | None = None


class Tracing(Fields):
    workflow_name: str | None = None
    group_id: str | None = None
    metadata: dict[str, Any] | None = None


class SessionFields(Fields):
    """The ``session`` of ``session.update``; absent fields stay as they are."""

    type: Literal["realtime"]
    model: str | None = None
    output_modalities: Modalities = Field(default=["audio"], min_length=1, max_length=1)
    instructions: str = ""
    tools: list[Tool] = Field(default_factory=list)
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    max_output_tokens: MaxTokens = "inf"
    reasoning: Reasoning | None = None
    tracing: Literal["auto"] | Tracing | None = None
    truncation: Literal["auto", "disabled"] | RetentionRatio = "auto"
    prompt: dict[str, Any] | None = None
    include: list[Literal["item.input_audio_transcription.logprobs"]] | None = None
    audio: Audio = Field(default=None)  # type: ignore[assignment]


class ResponseAudioOutput(Fields):
    format: Format = Field(default=None)  # type: ignore[assignment]
    voice: Voice | VoiceId = "marin"


class ResponseAudio(Fields):
    output: ResponseAudioOutput = Field(default=None)  # type: ignore[assignment]


class ResponseFields(Fields):
    """The ``response`` of ``response.create``; absent fields are those of the session."""

    conversation: Literal["auto", "none"] = "auto"
    input: list[dict[str, Any]] | None = None
    instructions: str = ""
    output_modalities: Modalities = Field(default=["audio"], min_length=1, max_length=1)
    audio: ResponseAudio = Field(default=None)  # type: ignore[assignment]
    tools: list[Tool] = Field(default_factory=list)
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    reasoning: Reasoning | None = None
    max_output_tokens: MaxTokens = "inf"
    prompt: dict[str, Any] | None = None
    metadata: (
        dict[
            Annotated[str, StringConstraints(max_length=64)],
            Annotated[str, StringConstraints(max_length=512)],
        ]
        | None
    ) = Field(None, max_length=16)
