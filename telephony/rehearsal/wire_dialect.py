"""How a server's wire differs from OpenAI's: what it takes, and how it says what it says."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar

from pydantic import BaseModel

from telephony.rehearsal.client_events import strictly
from telephony.rehearsal.outbox import ClientError, Wire
from telephony.rehearsal.session_fields import SessionFields
from telephony.rehearsal.variant_fields import (
    InworldResponse,
    InworldSession,
    LocalSession,
    XaiResponse,
    XaiSession,
)

Emission = tuple[str, Wire]
"""The type of a server event, and its fields."""


class WireDialect:
    """OpenAI's own wire, GA; the base of those that differ.

    One serves one session. ``shown`` is the session object as the client knows it, where that is
    not the one the rehearsal keeps.
    """

    unknown_events: ClassVar[frozenset[str]] = frozenset()
    session_fields: ClassVar[type[BaseModel]] = SessionFields
    response_fields: ClassVar[type[BaseModel] | None] = None
    greets: ClassVar[tuple[Emission, ...]] = ()
    """What comes right after ``session.created``."""

    def __init__(self) -> None:
        self.shown: Wire | None = None

    def received(self, event: Wire) -> Wire:
        """Return a client event as OpenAI has it; raise ClientError for what is not taken."""
        kind = event.get("type")
        if isinstance(kind, str) and kind in self.unknown_events:
            raise ClientError("invalid_event", f"Unknown event type: '{kind}'.", "type")
        given = event.get("response")
        if kind == "response.create" and self.response_fields is not None and given is not None:
            fields = strictly(self.response_fields, given, "response").model_dump(exclude_none=True)
            return event | {"response": self.plain_response(fields)}
        return event

    def plain_response(self, fields: Wire) -> Wire:
        """Return the ``response`` of a ``response.create`` in OpenAI's terms."""
        return {key: value for key, value in fields.items() if "modalities" not in key}

    def changes(self, session: Any) -> Wire:
        """Return what a ``session.update`` sets, in OpenAI's terms; raise ClientError."""
        fields = strictly(self.session_fields, session, "session").model_dump(exclude_unset=True)
        if self.shown is not None:
            merge(self.shown, deepcopy(fields))
        return self.plain_session(fields)

    def plain_session(self, fields: Wire) -> Wire:
        return fields

    def begin(self, session: Wire) -> None:
        """Take the defaults; ``session`` is the object with the id and the model."""

    def emitted(self, kind: str, fields: Wire) -> list[Emission]:
        """Return what is said to the client in place of an event of OpenAI's."""
        if "session" in fields and self.shown is not None:
            fields = fields | {"session": self.shown}
        return [(kind, fields)]


class LocalDialect(WireDialect):
    """A server of one's own: OpenAI's words, other voices, and PCM16 only."""

    session_fields = LocalSession

    def plain_session(self, fields: Wire) -> Wire:
        for direction, audio in fields.get("audio", {}).items():
            if audio.get("format", {}).get("type", "audio/pcm") != "audio/pcm":
                param = f"session.audio.{direction}.format.type"
                raise ClientError("invalid_value", "Only audio/pcm is supported.", param)
        return fields


_XAI_LEAVES_OUT = {
    "response.function_call_arguments.done": ("response_id", "item_id", "output_index"),
    "response.output_audio_transcript.done": ("transcript",),
}


class XaiDialect(WireDialect):
    """Voice and turn detection stand at the top; turns are told by level or not at all."""

    session_fields = XaiSession
    response_fields = XaiResponse
    greets = (
        (
            "conversation.created",
            {"conversation": {"id": "conv_1", "object": "realtime.conversation"}},
        ),
    )

    def begin(self, session: Wire) -> None:
        self.shown = {
            "id": session["id"],
            "object": "realtime.session",
            "model": session["model"],
            "instructions": "",
            "voice": "eve",
            "turn_detection": {"type": "server_vad"},
            "tools": [],
            "audio": {"input": {"format": _pcm()}, "output": {"format": _pcm()}},
        }

    def received(self, event: Wire) -> Wire:
        event = super().received(event)
        if event.get("type") == "response.cancel":
            refuse_unknown(event, ("type", "event_id"))
        return event

    def plain_session(self, fields: Wire) -> Wire:
        audio = {name: dict(part) for name, part in fields.pop("audio", {}).items()}
        heard, spoken = audio.setdefault("input", {}), audio.setdefault("output", {})
        if "turn_detection" in fields:
            heard["turn_detection"] = fields.pop("turn_detection")
        if "voice" in fields:
            spoken["voice"] = fields.pop("voice")
        kept = {key: fields[key] for key in ("instructions",) if key in fields}
        if "tools" in fields:
            kept["tools"] = [
                tool for tool in fields["tools"] if tool["type"] in ("function", "mcp")
            ]
        return kept | {"audio": audio}

    def emitted(self, kind: str, fields: Wire) -> list[Emission]:
        fields = without_times(kind, fields)
        fields = {k: v for k, v in fields.items() if k not in _XAI_LEAVES_OUT.get(kind, ())}
        prefix = "conversation.item.input_audio_transcription"
        if kind == f"{prefix}.delta":
            # The words so far, not the next ones.
            text = fields.pop("delta")
            return [(f"{prefix}.updated", fields | {"transcript": text})]
        return super().emitted(kind, fields)


class InworldDialect(WireDialect):
    """A language model and a voice of one's choice; what was said can't be taken back."""

    unknown_events = frozenset({"conversation.item.truncate", "conversation.item.delete"})
    session_fields = InworldSession
    response_fields = InworldResponse
    greets = (("ping", {}),)

    def begin(self, session: Wire) -> None:
        self.shown = {
            "type": "realtime",
            "id": session["id"],
            "object": "realtime.session",
            "model": session["model"],
            "instructions": "",
            "output_modalities": ["audio", "text"],
            "audio": {
                "input": {"format": _pcm(), "turn_detection": {"type": "semantic_vad"}},
                "output": {"format": _pcm(), "voice": "Dennis"},
            },
            "tools": [],
        }

    def received(self, event: Wire) -> Wire:
        event = super().received(event)
        if event.get("type") == "response.cancel":
            refuse_unknown(event, ("type", "event_id"))
        return event

    def plain_session(self, fields: Wire) -> Wire:
        dropped = ("model", "output_modalities", "providerData")
        plain = {key: value for key, value in fields.items() if key not in dropped}
        for part in plain.get("audio", {}).values():
            detection = part.get("turn_detection")
            if detection and detection["type"] == "server_vad":
                detection.pop("eagerness", None)
        return plain

    def emitted(self, kind: str, fields: Wire) -> list[Emission]:
        return super().emitted(kind, without_times(kind, fields))


def without_times(kind: str, fields: Wire) -> Wire:
    """Return the fields of an event about the caller's speech that does not say when it was."""
    if not kind.startswith("input_audio_buffer.speech_"):
        return fields
    return {key: value for key, value in fields.items() if not key.endswith("_ms")}


def _pcm() -> Wire:
    return {"type": "audio/pcm", "rate": 24000}


def refuse_unknown(event: Wire, known: tuple[str, ...]) -> None:
    """Raise ClientError for the first key that is not known."""
    for key in event:
        if key not in known:
            raise ClientError("unknown_parameter", f"Unknown parameter: '{key}'.", key)


def merge(old: Wire, changes: Wire) -> None:
    """Put changes into a session object; objects of another type than before replace them."""
    for key, value in changes.items():
        before = old.get(key)
        same = isinstance(before, dict) and isinstance(value, dict)
        if same and before.get("type") == value.get("type"):  # type: ignore[union-attr]
            merge(old[key], value)
        else:
            old[key] = value
