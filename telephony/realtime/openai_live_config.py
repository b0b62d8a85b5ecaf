"""The settings of an OpenAI Live session, validated, and their wire form.

The shape is that of an agent's YAML: flat where the wire nests. The audio format is no part of
it; the leg decides it when the session begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field, ValidationError, field_validator

from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig, explain
from telephony.realtime.delegate import DelegateAgent
from telephony.realtime.openai_live_talkspurts import SILENCE_DBFS
from telephony.realtime.strict_model import StrictModel

VOICES = (
    *("alloy", "ash", "ballad", "beacon", "bossa", "cedar", "cinder", "coral", "delta", "echo"),
    *("gleam", "marin", "meridian", "quartz", "ripple", "sage", "shida", "shimmer", "stone"),
    *("tempo", "verse", "vesper", "willow"),
)
_WIRE_FORMATS: dict[AudioFormat, dict[str, Any]] = {
    PCMU: {"type": "audio/pcmu", "rate": 8000},
    PCMA: {"type": "audio/pcma", "rate": 8000},
    L16_16K: {"type": "audio/pcm", "rate": 16000},
    L16_24K: {"type": "audio/pcm", "rate": 24000},
}
_FORMATS = {(w["type"], w["rate"]): audio_format for audio_format, w in _WIRE_FORMATS.items()}

Name = Annotated[str, Field(min_length=1)]
Mappings = Annotated[tuple[dict[str, Any], ...], Field(strict=False)]


class LiveVoice(StrictModel):
    """A voice made by the account's owner."""

    id: Name


class ClientDelegation(StrictModel):
    """What the model delegates is done here, by the tool named ``delegate``.

    With an ``agent`` that tool is made for it; without, the agent's file names one of its own.
    """

    type: Literal["client"] = "client"
    acknowledgement_delay_ms: Annotated[int, Field(ge=0)] | None = None
    agent: DelegateAgent | None = None


class LiveReasoning(StrictModel):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    summary: Literal["concise", "detailed", "auto"] | None = None


class LiveText(StrictModel):
    verbosity: Literal["low", "medium", "high"]


class ResponsesBackend(StrictModel):
    """A model of the Responses API that works behind the speaking one.

    ``tools`` are those the provider runs; the agent's own are added. Without ``instructions`` it
    gets those of the agent.
    """

    model: Name
    instructions: str = ""
    tools: Mappings = ()
    tool_choice: Literal["auto", "none", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: LiveReasoning | None = None
    text: LiveText | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    service_tier: Name | None = None


class ResponsesDelegation(StrictModel):
    """What the model delegates is done by a second model at the provider."""

    type: Literal["responses"]
    responses: ResponsesBackend
    acknowledgement_delay_ms: Annotated[int, Field(ge=0)] | None = None


Delegation: TypeAlias = Annotated[
    ClientDelegation | ResponsesDelegation, Field(discriminator="type")
]


class LiveConfig(StrictModel):
    """Everything one may choose about a session; ``None`` leaves it to the server.

    ``legal_notice`` is the path of a WAV file, 30 s at most, that is played word for word before
    anything else is said. What the model sends below ``silence_dbfs`` is its silence.
    """

    model: Name = "gpt-live-1.1"
    voice: str | LiveVoice = "marin"
    delegation: Delegation = ClientDelegation()
    safety_identifier: Name | None = None
    store: bool = False
    triggers: Mappings = ()
    legal_notice: Name | None = None
    silence_dbfs: Annotated[float, Field(ge=-80, le=-20, strict=False)] = SILENCE_DBFS

    @field_validator("voice")
    @classmethod
    def _known_voice(cls, value: str | LiveVoice) -> str | LiveVoice:
        if isinstance(value, str) and value not in VOICES:
            known = ", ".join(VOICES)
            raise ValueError(f'unknown voice {value!r}; known: {known}, or {{id: "..."}}')
        return value

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> LiveConfig:
        """Build from plain nested data; raise :class:`InvalidSessionConfig` with every problem."""
        if not isinstance(values, Mapping):
            raise InvalidSessionConfig([FieldProblem("", "must be a mapping", "write key: value")])
        data = dict(values)
        delegation = data.get("delegation")
        if delegation is None:
            data.pop("delegation", None)
        elif isinstance(delegation, Mapping):
            data["delegation"] = {"type": "client", **delegation}
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise InvalidSessionConfig(explain(error, data, _known_keys())) from None

    def to_session(
        self,
        audio_format: AudioFormat,
        instructions: str,
        tools: list[dict[str, Any]],
        history: list[dict[str, Any]],
    ) -> dict[str, Any]:
        """Return the ``session`` of a ``session.start`` message.

        ``tools`` are function definitions for a Responses backend, ``history`` the messages that
        were said before.
        """
        session: dict[str, Any] = {
            "model": self.model,
            "audio": {
                "format": wire_format(audio_format),
                "output": {"voice": _plain(self.voice)},
            },
            "delegation": self._delegation(instructions, tools),
            "store": self.store,
        }
        if instructions.strip():
            session["instructions"] = instructions
        if history:
            session["input"] = history
        if self.safety_identifier is not None:
            session["safety_identifier"] = self.safety_identifier
        if self.triggers:
            session["triggers"] = list(self.triggers)
        return session

    def _delegation(self, instructions: str, tools: list[dict[str, Any]]) -> dict[str, Any]:
        delegation = self.delegation
        wire: dict[str, Any] = {"type": delegation.type}
        if delegation.acknowledgement_delay_ms is not None:
            wire["acknowledgement_delay_ms"] = delegation.acknowledgement_delay_ms
        if isinstance(delegation, ResponsesDelegation):
            backend: dict[str, Any] = _plain(delegation.responses)
            if not backend.get("instructions"):
                backend["instructions"] = instructions
            backend["tools"] = [*delegation.responses.tools, *tools]
            wire["responses"] = backend
        return wire


def wire_format(audio_format: AudioFormat) -> dict[str, Any]:
    """Return the wire form of a format; one format holds for both directions."""
    wire = _WIRE_FORMATS.get(audio_format)
    if wire is None:
        rate = audio_format.sample_rate_hz
        raise LocalProtocolError(f"a live session takes no {audio_format.encoding} at {rate} Hz")
    return wire


def read_wire_format(wire: Mapping[str, Any]) -> AudioFormat | None:
    """Return the format that a server names, or None for one that is not known."""
    kind, rate_hz = wire.get("type"), wire.get("rate")
    if isinstance(kind, str) and isinstance(rate_hz, int):
        return _FORMATS.get((kind, rate_hz))
    return None


def _known_keys() -> Iterator[str]:
    models: tuple[type[BaseModel], ...] = (
        LiveConfig,
        ClientDelegation,
        ResponsesDelegation,
        DelegateAgent,
        ResponsesBackend,
        LiveReasoning,
        LiveText,
        LiveVoice,
    )
    for model in models:
        yield from model.model_fields


def _plain(value: Any) -> Any:
    """Return JSON data without the fields that were left out."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if not isinstance(value, BaseModel):
        return value
    fields = ((name, getattr(value, name)) for name in type(value).model_fields)
    return {name: _plain(field) for name, field in fields if field is not None and field != ()}
