"""Parts of a session's settings that several servers of this protocol share."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator
from pydantic.functional_validators import AfterValidator

from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.strict_model import StrictModel

_KEYWORD_MODELS = ("gpt-transcribe", "gpt-live-transcribe")
_DELAY_MODEL = "gpt-realtime-whisper"


def _wire_name(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


Name = Annotated[str, AfterValidator(_wire_name)]
Names = Annotated[tuple[Name, ...], Field(strict=False)]


class Transcription(StrictModel):
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


class NoiseReduction(StrictModel):
    """Applied by the server before its voice activity detection."""

    type: Literal["near_field", "far_field"]
    strength: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class ServerVad(StrictModel):
    """Turns by the level of the caller's voice."""

    type: Literal["server_vad"] = "server_vad"
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0)] = 300
    silence_duration_ms: Annotated[int, Field(gt=0)] = 500
    idle_timeout_ms: Annotated[int, Field(gt=0)] | None = None
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(StrictModel):
    """Turns by whether what the caller said sounds finished."""

    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


class Reasoning(StrictModel):
    """Models of the 2.x family only; low suits a phone call."""

    effort: Literal["minimal", "low", "medium", "high", "xhigh"]


class TokenLimits(StrictModel):
    post_instructions: Annotated[int, Field(gt=0)]


class RetentionRatio(StrictModel):
    """When the context is full, keep this part of it."""

    type: Literal["retention_ratio"] = "retention_ratio"
    retention_ratio: Annotated[float, Field(ge=0, le=1)]
    token_limits: TokenLimits | None = None


class Tracing(StrictModel):
    workflow_name: str | None = None
    group_id: str | None = None
    metadata: dict[str, Any] | None = None


class ToolChoice(StrictModel):
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


class AllowedTools(StrictModel):
    tool_names: Names | None = None
    read_only: bool | None = None


class Approval(StrictModel):
    always: AllowedTools | None = None
    never: AllowedTools | None = None


class McpTool(StrictModel):
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
