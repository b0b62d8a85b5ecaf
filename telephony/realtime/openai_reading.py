"""Reads objects that several server events share; whatever lacks or is wrong becomes a default."""

from __future__ import annotations

from telephony.audio.format import L16_8K, L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.realtime.events import ResponseStatus, Role, Usage
from telephony.realtime.history import HistoryItem
from telephony.realtime.wire import (
    JsonObject,
    int_of,
    number_of,
    object_of,
    objects_of,
    text_of,
)

_FORMATS = {
    "audio/pcmu": PCMU,
    "audio/pcma": PCMA,
    "g711_ulaw": PCMU,
    "g711_alaw": PCMA,
    "pcm16_8000hz": L16_8K,
    "pcm16_16000hz": L16_16K,
}
_FLAT_PCM = ("pcm", "pcm16", "pcm24")
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant"}
_STATUS: dict[str, ResponseStatus] = {
    "completed": "completed",
    "cancelled": "cancelled",
    "failed": "failed",
    "incomplete": "incomplete",
}


def read_status(response: JsonObject) -> tuple[ResponseStatus, str, str]:
    """Return status, reason and message; a status we don't know counts as completed."""
    status = _STATUS.get(text_of(response, "status"), "completed")
    details = object_of(response, "status_details")
    error = object_of(details, "error")
    reason = text_of(error, "code") or text_of(error, "type") or text_of(details, "reason")
    return status, reason, text_of(error, "message")


def read_usage(response: JsonObject) -> Usage | None:
    usage = object_of(response, "usage")
    if not usage:
        return None
    given = object_of(usage, "input_token_details")
    made = object_of(usage, "output_token_details")
    cached = object_of(given, "cached_tokens_details")
    return Usage(
        input_tokens=int_of(usage, "input_tokens"),
        output_tokens=int_of(usage, "output_tokens"),
        input_text_tokens=int_of(given, "text_tokens"),
        input_audio_tokens=int_of(given, "audio_tokens"),
        cached_text_tokens=int_of(cached, "text_tokens"),
        cached_audio_tokens=int_of(cached, "audio_tokens"),
        output_text_tokens=int_of(made, "text_tokens"),
        output_audio_tokens=int_of(made, "audio_tokens"),
    )


def read_transcription_usage(event: JsonObject) -> Usage | None:
    """Return what it cost to write down a turn of the caller: tokens, or seconds."""
    usage = object_of(event, "usage")
    seconds = number_of(usage, "seconds")
    if seconds is not None and seconds > 0:
        return Usage(billed_s=seconds)
    if not int_of(usage, "input_tokens") and not int_of(usage, "output_tokens"):
        return None
    given = object_of(usage, "input_token_details")
    return Usage(
        input_tokens=int_of(usage, "input_tokens"),
        output_tokens=int_of(usage, "output_tokens"),
        input_text_tokens=int_of(given, "text_tokens"),
        input_audio_tokens=int_of(given, "audio_tokens"),
        output_text_tokens=int_of(usage, "output_tokens"),
    )


def limits_reached(event: JsonObject) -> int:
    """Return how many of the rate limits in an event leave nothing more."""
    remaining = (number_of(limit, "remaining") for limit in objects_of(event, "rate_limits"))
    return sum(1 for left in remaining if left is not None and left <= 0)


def read_format(
    session: JsonObject, direction: str, pcm: AudioFormat = L16_24K
) -> AudioFormat | None:
    """Return the format a session object states for ``input`` or ``output``, in either dialect.

    ``pcm`` is what the server's PCM16 is when it does not say its rate.
    """
    described = object_of(object_of(object_of(session, "audio"), direction), "format")
    name = text_of(described, "type") or text_of(session, f"{direction}_audio_format")
    if name in _FLAT_PCM:
        return _linear(int_of(session, f"{direction}_audio_sampling_rate"), pcm)
    if name == "audio/pcm":
        return _linear(int_of(described, "rate"), pcm)
    return _FORMATS.get(name)


def _linear(rate_hz: int, otherwise: AudioFormat) -> AudioFormat:
    return AudioFormat("l16", rate_hz) if 8000 <= rate_hz <= 48000 else otherwise


def read_item(described: JsonObject) -> HistoryItem | None:
    """Return a message or function call as the history keeps it; None for other kinds."""
    item_id, kind = text_of(described, "id"), text_of(described, "type")
    if not item_id:
        return None
    if kind == "function_call":
        item = HistoryItem(item_id, "function_call", text=text_of(described, "arguments"))
        item.call_id, item.name = text_of(described, "call_id"), text_of(described, "name")
        return item
    role = _ROLES.get(text_of(described, "role"))
    if kind != "message" or role is None:
        return None
    item = HistoryItem(item_id, "message", role)
    for part in objects_of(described, "content"):
        item.append_text(text_of(part, "text") or text_of(part, "transcript"))
    return item
