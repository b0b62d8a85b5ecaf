"""The settings of an OpenAI Realtime session, validated, and their wire form.

The shape is that of an agent's YAML: flat where the wire nests. Audio formats are no part of it;
the leg and ``media.model_format`` decide them when the session begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic.functional_validators import AfterValidator

from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig, explain
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.strict_model import StrictModel
from telephony.realtime.traits import Traits

VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
_KEYWORD_MODELS = ("gpt-transcribe", "gpt-live-transcribe")
_DELAY_MODEL = "gpt-realtime-whisper"
_METADATA_PAIRS = 16


class _Frozen(StrictModel):
    """Whatever has keys that a misspelt one may have meant."""


def _wire_name(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


Name = Annotated[str, AfterValidator(_wire_name)]
Names = Annotated[tuple[Name, ...], Field(strict=False)]


class CustomVoice(_Frozen):
    """A voice made by the account's owner."""

    id: Annotated[str, Field(pattern=r"^voice_.+")]


def _known_voice(value: str | CustomVoice) -> str | CustomVoice:
    if isinstance(value, str) and value not in VOICES:
        raise ValueError(
            f'unknown voice {value!r}; known: {", ".join(VOICES)}, or {{id: "voice_…"}}'
        )
    return value


class Transcription(_Frozen):
    """Text of what the caller says, made beside the model and billed separately."""

    model: Name = "gpt-live-transcribe"
    language: Name | None = None
    prompt: str | None = None
    keywords: Names = ()
    languages: Names = ()
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None

    @model_validator(mode="after")
    def _fields_fit_model(self) -> Transcription:
        if self.language and self.languages:
            raise ValueError("language and languages exclude each other; keep one of them")
        for field in ("keywords", "languages"):
            if getattr(self, field) and self.model not in _KEYWORD_MODELS:
                raise ValueError(f"{field} needs model {' or '.join(_KEYWORD_MODELS)}")
        if self.delay and self.model != _DELAY_MODEL:
            raise ValueError(f"delay needs model {_DELAY_MODEL}")
        if self.prompt is not None and self.model == _DELAY_MODEL:
            raise ValueError(f"prompt is not taken by model {_DELAY_MODEL}")
        return self


class NoiseReduction(_Frozen):
    """Applied by the server before its voice activity detection."""

    type: Literal["near_field", "far_field"]
    strength: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class ServerVad(_Frozen):
    """Turns by the level of the caller's voice."""

    type: Literal["server_vad"] = "server_vad"
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0)] = 300
    silence_duration_ms: Annotated[int, Field(gt=0)] = 500
    idle_timeout_ms: Annotated[int, Field(gt=0)] | None = None
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(_Frozen):
    """Turns by whether what the caller said sounds finished."""

    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


class Reasoning(_Frozen):
    """Models of the 2.x family only; low suits a phone call."""

    effort: Literal["minimal", "low", "medium", "high", "xhigh"]


class TokenLimits(_Frozen):
    post_instructions: Annotated[int, Field(gt=0)]


class RetentionRatio(_Frozen):
    """When the context is full, keep this part of it."""

    type: Literal["retention_ratio"] = "retention_ratio"
    retention_ratio: Annotated[float, Field(ge=0, le=1)]
    token_limits: TokenLimits | None = None


class Tracing(_Frozen):
    workflow_name: str | None = None
    group_id: str | None = None
    metadata: dict[str, Any] | None = None


class ToolChoice(_Frozen):
    """Force one function, or one MCP server (and optionally one of its tools)."""

    type: Literal["function", "mcp"]
    name: Name | None = None
    server_label: Name | None = None

    @model_validator(mode="after")
    def _names_fit_type(self) -> ToolChoice:
        if self.type == "function" and (self.name is None or self.server_label is not None):
            raise ValueError("type function takes name, and no server_label")
        if self.type == "mcp" and self.server_label is None:
            raise ValueError("type mcp needs server_label")
        return self


class AllowedTools(_Frozen):
    tool_names: Names | None = None
    read_only: bool | None = None


class Approval(_Frozen):
    always: AllowedTools | None = None
    never: AllowedTools | None = None


class McpTool(_Frozen):
    """A remote MCP server whose tools the model's provider runs."""

    type: Literal["mcp"]
    server_label: Name
    server_url: Name | None = None
    connector_id: Name | None = None
    tunnel_id: Name | None = None
    authorization: str | None = None
    headers: dict[str, str] | None = None
    allowed_tools: Names | AllowedTools | None = None
    require_approval: Literal["always", "never"] | Approval = "never"
    server_description: str | None = None
    defer_loading: bool | None = None
    allowed_callers: Names | None = None

    @model_validator(mode="after")
    def _one_place(self) -> McpTool:
        places = [self.server_url, self.connector_id, self.tunnel_id]
        if sum(place is not None for place in places) != 1:
            raise ValueError("give exactly one of server_url, connector_id and tunnel_id")
        return self


TurnDetection: TypeAlias = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]
SessionTool: TypeAlias = Annotated[FunctionTool | McpTool, Field(discriminator="type")]
Logprobs: TypeAlias = Literal["item.input_audio_transcription.logprobs"]


class SessionConfig(_Frozen):
    """Everything one may choose about a session.

    ``None`` turns ``turn_detection``, ``transcription`` and ``noise_reduction`` off; any other
    field it leaves to the server.
    """

    model: Name = "gpt-realtime-2.1"
    instructions: str = ""
    voice: Annotated[str | CustomVoice, AfterValidator(_known_voice)] = "marin"
    speed: Annotated[float, Field(ge=0.25, le=1.5)] | None = None
    output_modalities: Annotated[
        tuple[Literal["audio", "text"], ...], Field(strict=False, min_length=1, max_length=1)
    ] = ("audio",)
    turn_detection: TurnDetection | None = ServerVad()
    transcription: Transcription | None = Transcription()
    noise_reduction: NoiseReduction | None = None
    tools: Annotated[tuple[SessionTool, ...], Field(strict=False)] = ()
    tool_choice: Literal["auto", "none", "required"] | ToolChoice = "auto"
    parallel_tool_calls: bool | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"] = "inf"
    reasoning: Reasoning | None = None
    truncation: Literal["auto", "disabled"] | RetentionRatio = "auto"
    tracing: Literal["auto"] | Tracing | None = None
    include: Annotated[tuple[Logprobs, ...], Field(strict=False)] = ()

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain nested data; raise :class:`InvalidSessionConfig` with every problem."""
        if not isinstance(values, Mapping):
            raise InvalidSessionConfig([FieldProblem("", "must be a mapping", "write key: value")])
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise InvalidSessionConfig(explain(error, values, _known_keys())) from None

    def with_tools(self, tools: Iterable[SessionTool]) -> SessionConfig:
        """Return the same settings with more tools; raises ValueError for a name in use."""
        together = (*self.tools, *tools)
        names = [tool.name for tool in together if isinstance(tool, FunctionTool)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"tools: the name {sorted(twice)[0]!r} is used twice")
        return self.model_copy(update={"tools": together})

    @property
    def traits(self) -> Traits:
        detection = self.turn_detection
        return Traits(
            detects_turns=detection is not None,
            responds_by_itself=self.responds_by_itself,
            interrupts_by_itself=self.interrupts_by_itself,
            endpointing_ms=(
                detection.silence_duration_ms if isinstance(detection, ServerVad) else 0
            ),
        )

    @property
    def responds_by_itself(self) -> bool:
        """Whether the server starts a response when the caller's turn ends."""
        return self.turn_detection is not None and self.turn_detection.create_response

    @property
    def interrupts_by_itself(self) -> bool:
        """Whether the server cancels its response when the caller begins to speak."""
        return self.turn_detection is not None and self.turn_detection.interrupt_response

    def to_session_update(
        self, input_format: AudioFormat, output_format: AudioFormat
    ) -> dict[str, Any]:
        """Return the ``session`` of a ``session.update`` message.

        The model is absent: it is chosen in the URL and cannot change.
        """
        session: dict[str, Any] = {
            "type": "realtime",
            "output_modalities": list(self.output_modalities),
            "instructions": self.instructions,
            "audio": {
                "input": self._audio_input(input_format),
                "output": self._audio_output(output_format),
            },
            "tools": [_plain(tool) for tool in self.tools],
            "tool_choice": _plain(self.tool_choice),
            "max_output_tokens": self.max_output_tokens,
            "truncation": _plain(self.truncation),
        }
        session.update(self._optional_fields())
        return session

    def _audio_input(self, audio_format: AudioFormat) -> dict[str, Any]:
        return {
            "format": wire_format(audio_format),
            "turn_detection": _plain(self.turn_detection),
            "transcription": _plain(self.transcription),
            "noise_reduction": _plain(self.noise_reduction),
        }

    def _audio_output(self, audio_format: AudioFormat) -> dict[str, Any]:
        output: dict[str, Any] = {
            "format": wire_format(audio_format),
            "voice": _plain(self.voice),
        }
        if self.speed is not None:
            output["speed"] = self.speed
        return output

    def _optional_fields(self) -> Iterator[tuple[str, Any]]:
        for field in ("parallel_tool_calls", "reasoning", "tracing"):
            value = getattr(self, field)
            if value is not None:
                yield field, _plain(value)
        if self.include:
            yield "include", list(self.include)


def wire_format(audio_format: AudioFormat) -> dict[str, Any]:
    """Return the wire form of a format; the wire knows G.711 and L16 at 24 kHz only."""
    if audio_format.encoding in ("pcmu", "pcma"):
        return {"type": f"audio/{audio_format.encoding}"}
    if audio_format.sample_rate_hz != 24000:
        raise LocalProtocolError(
            f"a realtime session takes L16 at 24000 Hz, not {audio_format.sample_rate_hz}"
        )
    return {"type": "audio/pcm", "rate": 24000}


def _known_keys() -> Iterator[str]:
    models: list[type[BaseModel]] = [FunctionTool, *_Frozen.__subclasses__()]
    for model in models:
        yield from model.model_fields


def _plain(value: Any) -> Any:
    """Return JSON data without the fields that were left out; a user's own mappings stay whole."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if not isinstance(value, BaseModel):
        return value
    fields = ((name, getattr(value, name)) for name in type(value).model_fields)
    return {name: _plain(field) for name, field in fields if field is not None and field != ()}
