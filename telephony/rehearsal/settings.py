"""The session object: what the client has set so far, and the defaults under it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from telephony.audio.format import L16_24K, PCMA, PCMU, AudioFormat
from telephony.rehearsal.outbox import ClientError, Wire
from telephony.rehearsal.session_fields import ResponseFields, SemanticVad, ServerVad, SessionFields

WIRE_FORMATS: dict[str, AudioFormat] = {
    "audio/pcm": L16_24K,
    "audio/pcmu": PCMU,
    "audio/pcma": PCMA,
}


def format_of(wire: Wire) -> AudioFormat:
    """Return the format that a ``format`` object describes."""
    known = WIRE_FORMATS[wire["type"]]
    return AudioFormat("l16", wire.get("rate", 24000)) if known.encoding == "l16" else known


# How long a pause may be before "the speaker has finished" at each eagerness. The real thing
# judges the words and waits at most 8, 4 and 2 s; this one cannot judge words.
_EAGERNESS_SILENCE_MS = {"low": 1200, "medium": 700, "auto": 700, "high": 400}


# Whatever is called after OpenAI's models before the second family.
_OLDER_FAMILY = re.compile(r"gpt-(4o-|4o-mini-)?realtime(-mini|-preview|-1\.\d|-20\d\d|$)")
_SECOND_FAMILY_FIELDS = ("reasoning", "parallel_tool_calls")


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """``turn_detection`` of either type, in the terms of a voice activity detector."""

    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int
    idle_timeout_ms: int | None
    create_response: bool
    interrupt_response: bool


def _default_session(session_id: str, model: str, expires_at_unix_s: int) -> Wire:
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "expires_at": expires_at_unix_s,
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "max_output_tokens": "inf",
        "reasoning": None,
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": ServerVad.model_validate({"type": "server_vad"}).model_dump(),
            },
            "output": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "voice": "marin",
                "speed": 1.0,
            },
        },
    }


class SessionSettings:
    """``wire`` is the whole session object, as ``session.updated`` carries it."""

    __slots__ = ("has_spoken", "wire")

    def __init__(self, session_id: str, model: str, expires_at_unix_s: int) -> None:
        self.wire = _default_session(session_id, model, expires_at_unix_s)
        self.has_spoken = False

    def update(self, fields: SessionFields) -> None:
        """Merge what the client set; raise ClientError for what may not change any more."""
        self.apply(fields.model_dump(exclude_unset=True))

    def apply(self, changes: Wire) -> None:
        """Merge valid fields of the session object; raise ClientError as :meth:`update` does."""
        if changes.pop("model", None) not in (None, self.wire["model"]):
            raise ClientError("invalid_value", "The model cannot be changed.", "session.model")
        if _OLDER_FAMILY.match(self.wire["model"]):
            for field in _SECOND_FAMILY_FIELDS:
                if changes.get(field) is not None:
                    text = f"'{field}' is not supported by this model."
                    raise ClientError("invalid_value", text, f"session.{field}")
        tracing = self.wire["tracing"]
        if tracing is not None and changes.get("tracing", tracing) != tracing:
            text = "Tracing cannot be changed once it is enabled."
            raise ClientError("invalid_value", text, "session.tracing")
        voice = changes.get("audio", {}).get("output", {}).get("voice")
        if self.has_spoken and voice not in (None, self.wire["audio"]["output"]["voice"]):
            raise ClientError(
                "cannot_update_voice",
                "Cannot update a conversation's voice if assistant audio is present.",
                "session.audio.output.voice",
            )
        _complete_new_objects(changes, self.wire)
        _merge(self.wire, changes)

    @property
    def input_format(self) -> AudioFormat:
        return format_of(self.wire["audio"]["input"]["format"])

    @property
    def output_format(self) -> AudioFormat:
        return format_of(self.wire["audio"]["output"]["format"])

    @property
    def transcribes(self) -> bool:
        return self.wire["audio"]["input"]["transcription"] is not None

    @property
    def turn_detection(self) -> TurnDetection | None:
        wire = self.wire["audio"]["input"]["turn_detection"]
        if wire is None:
            return None
        semantic = wire["type"] == "semantic_vad"
        return TurnDetection(
            threshold=0.5 if semantic else wire["threshold"],
            prefix_padding_ms=300 if semantic else wire["prefix_padding_ms"],
            silence_duration_ms=_EAGERNESS_SILENCE_MS[wire["eagerness"]]
            if semantic
            else wire["silence_duration_ms"],
            idle_timeout_ms=None if semantic else wire["idle_timeout_ms"],
            create_response=wire["create_response"],
            interrupt_response=wire["interrupt_response"],
        )


def _complete_new_objects(changes: Wire, session: Wire) -> None:
    """Give a turn detection of another type than before its type's defaults."""
    heard = changes.get("audio", {}).get("input", {})
    given = heard.get("turn_detection")
    if given is None:
        return
    before = session["audio"]["input"]["turn_detection"]
    if before is None or before["type"] != given["type"]:
        kind = ServerVad if given["type"] == "server_vad" else SemanticVad
        heard["turn_detection"] = kind.model_validate(given).model_dump()


def _merge(old: Wire, changes: Wire) -> None:
    for key, value in changes.items():
        before = old.get(key)
        if not (isinstance(before, dict) and isinstance(value, dict)):
            old[key] = value
        elif before.get("type") == value.get("type"):
            _merge(before, value)
        else:
            old[key] = value


@dataclass(frozen=True, slots=True)
class ResponseSettings:
    """What one response follows: the session's settings under those of ``response.create``."""

    modality: str
    output_format: AudioFormat
    wire_format: Wire
    voice: Any
    instructions: str
    tools: tuple[Wire, ...]
    tool_choice: Any
    max_output_tokens: int | str
    metadata: dict[str, str] | None
    in_conversation: bool
    parallel_tool_calls: bool


def response_settings(session: SessionSettings, fields: ResponseFields | None) -> ResponseSettings:
    """Merge ``fields`` over the session for one response."""
    given = fields.model_dump(exclude_unset=True) if fields else {}
    wire = session.wire | {key: value for key, value in given.items() if key != "audio"}
    output = session.wire["audio"]["output"] | given.get("audio", {}).get("output", {})
    return ResponseSettings(
        modality=wire["output_modalities"][0],
        output_format=format_of(output["format"]),
        wire_format=output["format"],
        voice=output["voice"],
        instructions=wire["instructions"],
        tools=tuple(wire["tools"]),
        tool_choice=wire["tool_choice"],
        max_output_tokens=wire["max_output_tokens"],
        metadata=given.get("metadata"),
        in_conversation=given.get("conversation", "auto") == "auto",
        parallel_tool_calls=wire["parallel_tool_calls"],
    )
