"""What a Live client may say, to the letter: a field that is not known is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from telephony.rehearsal.outbox import ClientError
from telephony.rehearsal.usage import text_tokens

MAX_APPEND_TOKENS = 500
MAX_INPUT_TOKENS = 8192
MAX_INSTRUCTION_TOKENS = 16_384


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _text(tokens: int) -> Any:
    def check(value: str) -> str:
        if text_tokens(value) > tokens:
            raise ValueError(f"at most {tokens} tokens")
        return value

    return check


class Pcm(_Fields):
    type: Literal["audio/pcm"]
    rate: Literal[16000, 24000]


class G711(_Fields):
    type: Literal["audio/pcmu", "audio/pcma"]
    rate: Literal[8000]


class CustomVoice(_Fields):
    id: str


class AudioOutput(_Fields):
    voice: str | CustomVoice | None = None


class Audio(_Fields):
    format: Annotated[Pcm | G711, Field(discriminator="type")] | None = None
    output: AudioOutput | None = None


class Function(BaseModel):
    """A tool of a Responses backend; those that are no functions have fields of their own."""

    model_config = ConfigDict(extra="allow", frozen=True)
    type: str
    name: str = ""


class Backend(_Fields):
    model: str
    instructions: str | None = None
    tools: list[Function] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    reasoning: dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    max_output_tokens: int | None = None
    service_tier: str | None = None


class ClientDelegation(_Fields):
    type: Literal["client"]
    acknowledgement_delay_ms: int | None = Field(None, ge=0)


class ResponsesDelegation(_Fields):
    type: Literal["responses"]
    responses: Backend
    acknowledgement_delay_ms: int | None = Field(None, ge=0)


Delegation: TypeAlias = Annotated[
    ClientDelegation | ResponsesDelegation, Field(discriminator="type")
]


class TextPart(_Fields):
    type: Literal["input_text", "output_text", "text"] = "input_text"
    text: str


class InitialItem(_Fields):
    type: Literal["message"] = "message"
    role: Literal["developer", "user", "assistant"]
    content: Annotated[list[TextPart], Field(min_length=1, max_length=1)]
    id: str | None = None
    status: Literal["incomplete", "completed"] | None = None

    @model_validator(mode="after")
    def _part_fits_role(self) -> InitialItem:
        if (self.content[0].type == "input_text") == (self.role == "assistant"):
            raise ValueError(f"{self.content[0].type} is no content of the {self.role}")
        return self


class Session(_Fields):
    model: str
    instructions: str | None = None
    audio: Audio | None = None
    delegation: Delegation | None = None
    input: Annotated[list[InitialItem], Field(max_length=128)] | None = None
    safety_identifier: str | None = None
    store: bool | None = None
    triggers: list[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _within_limits(self) -> Session:
        if text_tokens(self.instructions or "") > MAX_INSTRUCTION_TOKENS:
            raise ValueError(f"instructions: at most {MAX_INSTRUCTION_TOKENS} tokens")
        said = sum(text_tokens(item.content[0].text) for item in self.input or ())
        if said > MAX_INPUT_TOKENS:
            raise ValueError(f"input: at most {MAX_INPUT_TOKENS} tokens")
        return self


class SessionChanges(_Fields):
    delegation: Delegation | None = None
    triggers: list[dict[str, Any]] | None = None


class _Event(_Fields):
    event_id: str | None = None


class SessionStart(_Event):
    type: Literal["session.start"]
    session: Session


class SessionUpdate(_Event):
    type: Literal["session.update"]
    session: SessionChanges


class InputAudioAppend(_Event):
    type: Literal["session.input_audio.append"]
    audio: str


class InputAudioMute(_Event):
    type: Literal["session.input_audio.mute", "session.input_audio.unmute"]


class Append(_Event):
    """Context; ``delegation_id`` may be null but not left out."""

    type: Literal[
        "session.instructions.append", "session.thinking.append", "session.commentary.append"
    ]
    content: str
    delegation_id: str | None

    @model_validator(mode="after")
    def _within_limit(self) -> Append:
        if text_tokens(self.content) > MAX_APPEND_TOKENS:
            raise ValueError(f"content: at most {MAX_APPEND_TOKENS} tokens")
        return self


class FixturePlay(_Event):
    type: Literal["session.output_audio.fixture.play"]
    audio: str


class ResponseItemCreate(_Event):
    type: Literal["response.item.create"]
    item: dict[str, Any]


class ResponseCreate(_Event):
    type: Literal["response.create"]


class SessionClose(_Event):
    type: Literal["session.close"]


ClientEvent: TypeAlias = Annotated[
    SessionStart
    | SessionUpdate
    | InputAudioAppend
    | InputAudioMute
    | Append
    | FixturePlay
    | ResponseItemCreate
    | ResponseCreate
    | SessionClose,
    Field(discriminator="type"),
]
_EVENTS: TypeAdapter[ClientEvent] = TypeAdapter(ClientEvent)
_CODES = {
    "extra_forbidden": "unknown_parameter",
    "missing": "missing_required_parameter",
    "union_tag_invalid": "invalid_value",
}


def read_event(data: dict[str, Any]) -> ClientEvent:
    """Return the client event; raise ClientError naming the first field that is wrong."""
    try:
        return _EVENTS.validate_python(data)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        param = ".".join(str(part) for part in details["loc"][1:]) or None
        code = _CODES.get(details["type"], "invalid_value")
        place = f"'{param}'" if param else "the event"
        raise ClientError(code, f"{details['msg']} at {place}.", param) from None
