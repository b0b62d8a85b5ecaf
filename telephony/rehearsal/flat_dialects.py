"""Servers that speak the beta protocol: flat sessions, and the names events had before GA."""

from __future__ import annotations

from typing import Any

from telephony.rehearsal.client_events import strictly
from telephony.rehearsal.outbox import ClientError, Wire
from telephony.rehearsal.variant_fields import (
    QwenOutputItem,
    QwenResponse,
    QwenSession,
    VoiceLiveResponse,
    VoiceLiveSession,
)
from telephony.rehearsal.wire_dialect import Emission, WireDialect, refuse_unknown

_BETA_NAMES = {
    "conversation.item.added": "conversation.item.created",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
}
_BETA_PARTS = {"output_audio": "audio", "output_text": "text"}
_FORMATS: dict[str, Wire] = {
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
    "pcm16_8000hz": {"type": "audio/pcm", "rate": 8000},
    "pcm16_16000hz": {"type": "audio/pcm", "rate": 16000},
}


class FlatDialect(WireDialect):
    """What both have in common."""

    def emitted(self, kind: str, fields: Wire) -> list[Emission]:
        if kind == "conversation.item.done":
            return []
        if "item" in fields:
            fields = fields | {"item": _beta_item(fields["item"])}
        if "response" in fields:
            fields = fields | {"response": self._beta_response(fields["response"])}
        return super().emitted(_BETA_NAMES.get(kind, kind), fields)

    def _beta_response(self, response: Wire) -> Wire:
        beta = {key: value for key, value in response.items() if key in _RESPONSE_KEYS}
        beta["output"] = [_beta_item(item) for item in response["output"]]
        beta["modalities"] = ["text", "audio"]
        return beta

    def plain_session(self, fields: Wire) -> Wire:
        heard: Wire = {}
        spoken: Wire = {}
        shown = self.shown or {}
        if "input_audio_format" in fields or "input_audio_sampling_rate" in fields:
            heard["format"] = self.input_format(shown)
        if "output_audio_format" in fields:
            name = fields["output_audio_format"]
            spoken["format"] = _FORMATS.get(name, {"type": "audio/pcm", "rate": 24000})
        if "turn_detection" in fields:
            heard["turn_detection"] = _by_level(fields["turn_detection"])
        if "input_audio_transcription" in fields:
            heard["transcription"] = fields["input_audio_transcription"]
        if fields.get("voice") is not None:
            spoken["voice"] = fields["voice"]
        plain: Wire = {"audio": {"input": heard, "output": spoken}}
        plain |= {key: fields[key] for key in ("instructions", "tool_choice") if key in fields}
        if "tools" in fields:
            plain["tools"] = [self.plain_tool(tool) for tool in fields["tools"]]
        return plain

    def input_format(self, shown: Wire) -> Wire:
        raise NotImplementedError

    def plain_tool(self, tool: Wire) -> Wire:
        return tool


class VoiceLiveDialect(FlatDialect):
    """Azure Voice Live."""

    session_fields = VoiceLiveSession
    response_fields = VoiceLiveResponse

    def begin(self, session: Wire) -> None:
        self.shown = {
            "id": session["id"],
            "model": session["model"],
            "modalities": ["text", "audio"],
            "instructions": "",
            "voice": {"type": "azure-standard", "name": "en-US-AvaNeural"},
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "input_audio_sampling_rate": 24000,
            "turn_detection": {"type": "server_vad"},
            "tools": [],
        }

    def received(self, event: Wire) -> Wire:
        event = super().received(event)
        item = event.get("item")
        if not isinstance(item, dict) or not isinstance(item.get("content"), list):
            return event
        content = [_plain_part(part, item) for part in item["content"]]
        return event | {"item": item | {"content": content}}

    def input_format(self, shown: Wire) -> Wire:
        pcm = {"type": "audio/pcm", "rate": shown["input_audio_sampling_rate"]}
        return _FORMATS.get(shown["input_audio_format"], pcm)


class QwenDialect(FlatDialect):
    """Qwen-Omni: hears 16 kHz, and of items takes the outputs of functions only."""

    unknown_events = frozenset(
        {
            "conversation.item.truncate",
            "conversation.item.delete",
            "conversation.item.retrieve",
        }
    )
    session_fields = QwenSession
    response_fields = QwenResponse

    def begin(self, session: Wire) -> None:
        self.shown = {
            "object": "realtime.session",
            "id": session["id"],
            "model": session["model"],
            "modalities": ["text", "audio"],
            "instructions": "",
            "voice": "Cherry",
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 800},
            "tools": [],
        }

    def received(self, event: Wire) -> Wire:
        event = super().received(event)
        kind = event.get("type")
        if kind == "response.cancel":
            refuse_unknown(event, ("type", "event_id"))
        if kind == "conversation.item.create":
            refuse_unknown(event, ("type", "event_id", "item"))
            strictly(QwenOutputItem, event.get("item"), "item")
        return event

    def input_format(self, shown: Wire) -> Wire:
        return {"type": "audio/pcm", "rate": 16000}

    def plain_tool(self, tool: Wire) -> Wire:
        return {"type": "function", **tool["function"]}


_RESPONSE_KEYS = (
    "object",
    "id",
    "status",
    "status_details",
    "output",
    "conversation_id",
    "usage",
    "metadata",
)


def _by_level(detection: Wire | None) -> Wire | None:
    """Return any kind of detection as one by level, which is all a rehearsal has."""
    if detection is None:
        return None
    known = ("prefix_padding_ms", "silence_duration_ms", "create_response", "interrupt_response")
    plain = {key: detection[key] for key in known if key in detection}
    if "threshold" in detection:
        plain["threshold"] = max(0.0, detection["threshold"])
    return {"type": "server_vad", **plain}


def _beta_item(item: Wire) -> Wire:
    if "content" not in item:
        return item
    content = [_beta_part(part) for part in item["content"]]
    return item | {"content": content}


def _beta_part(part: Wire) -> Wire:
    return part | {"type": _BETA_PARTS.get(part["type"], part["type"])}


def _plain_part(part: Any, item: Wire) -> Any:
    """Return a part of an item in GA's terms; the assistant's text has another name there."""
    if not isinstance(part, dict) or item.get("role") != "assistant":
        return part
    if part.get("type") == "output_text":
        raise ClientError("invalid_value", "Invalid content type 'output_text'.", "item.content")
    return part | {"type": "output_text"} if part.get("type") == "text" else part
