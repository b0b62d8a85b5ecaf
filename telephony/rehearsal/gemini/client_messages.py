"""What a client may say after the setup."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, model_validator

from telephony.realtime.gemini_wire import camel_keys, decode_bytes, rate_of
from telephony.rehearsal.gemini.refusal import invalid
from telephony.rehearsal.gemini.setup_fields import Content, Tool, Wire

_KINDS = ("setup", "clientContent", "realtimeInput", "toolResponse", "contextUpdate")


class Blob(Wire):
    data: str
    mime_type: str


class RealtimeInput(Wire):
    """Exactly one of these."""

    audio: Blob | None = None
    video: Blob | None = None
    text: str | None = None
    activity_start: dict[str, Any] | None = None
    activity_end: dict[str, Any] | None = None
    audio_stream_end: bool | None = None
    media_chunks: list[Blob] | None = None

    @model_validator(mode="after")
    def _one_only(self) -> RealtimeInput:
        if len(self.model_fields_set) != 1:
            raise ValueError("exactly one field must be set")
        return self


class ClientContent(Wire):
    turns: tuple[Content, ...] = ()
    turn_complete: bool = False


class FunctionResponse(Wire):
    id: str
    name: str | None = None
    response: dict[str, Any] = Field(default_factory=dict)
    scheduling: Literal["INTERRUPT", "WHEN_IDLE", "SILENT"] | None = None
    will_continue: bool | None = None

    @property
    def text(self) -> str:
        value = self.response.get("output", self.response)
        return value if isinstance(value, str) else json.dumps(value)


class ToolResponse(Wire):
    function_responses: tuple[FunctionResponse, ...] = ()


class ToolsUpdate(Wire):
    tools: tuple[Tool, ...] = ()


class ContextUpdate(Wire):
    system_instruction: Content | None = None
    tools: ToolsUpdate | None = None


def read_message(message: str | bytes) -> tuple[str, Any]:
    """Return the one key of a message and what is under it; raises RefusedError."""
    try:
        data = json.loads(message)
    except (ValueError, RecursionError):
        invalid("Invalid JSON payload received.")
    if not isinstance(data, dict):
        invalid("Invalid JSON payload received: it is no object.")
    data = camel_keys(data)
    unknown = next((key for key in data if key not in _KINDS), None)
    if unknown is not None:
        invalid(f'Invalid JSON payload received. Unknown name "{unknown[:60]}".')
    if len(data) != 1:
        invalid("A message must have exactly one of: " + ", ".join(_KINDS) + ".")
    [(kind, content)] = data.items()
    return kind, content


def decode_blob(blob: Blob) -> tuple[bytes, int]:
    """Return PCM16 and its sample rate; raises RefusedError for anything else."""
    rate_hz = rate_of(blob.mime_type)
    if rate_hz is None or not 8000 <= rate_hz <= 48000:
        invalid(f"Unsupported MIME type: {blob.mime_type[:60]}")
    data = decode_bytes({"data": blob.data}, "data")
    if data is None:
        invalid("Invalid value at 'realtimeInput.audio.data': Base64 decoding failed.")
    return data, rate_hz
