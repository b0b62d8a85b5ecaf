"""Reads objects of Gemini Live's messages; whatever lacks or is wrong becomes a default."""

from __future__ import annotations

from telephony.realtime.events import ResponseStatus, Usage
from telephony.realtime.wire import JsonObject, int_of, objects_of, text_of

# The model waits for the caller to go on, which is no failure.
_WELL_ENDED = frozenset({"", "TURN_COMPLETE_REASON_UNSPECIFIED", "NEED_MORE_INPUT"})


def read_usage(message: JsonObject) -> Usage | None:
    """Return what a turn cost; the prompts of tools and the thoughts are counted in."""
    usage = message.get("usageMetadata")
    if not isinstance(usage, dict) or not usage:
        return None
    thoughts = int_of(usage, "thoughtsTokenCount")
    given = _split(usage, "promptTokensDetails", "toolUsePromptTokensDetails")
    made = _split(usage, "responseTokensDetails")
    cached = _split(usage, "cacheTokensDetails")
    cached_tokens = int_of(usage, "cachedContentTokenCount")
    return Usage(
        input_tokens=int_of(usage, "promptTokenCount") + int_of(usage, "toolUsePromptTokenCount"),
        output_tokens=int_of(usage, "responseTokenCount") + thoughts,
        input_text_tokens=given["TEXT"],
        input_audio_tokens=given["AUDIO"],
        cached_text_tokens=cached["TEXT"] or max(0, cached_tokens - cached["AUDIO"]),
        cached_audio_tokens=cached["AUDIO"],
        output_text_tokens=made["TEXT"] + thoughts,
        output_audio_tokens=made["AUDIO"],
    )


def _split(usage: JsonObject, *keys: str) -> dict[str, int]:
    counts = {"TEXT": 0, "AUDIO": 0}
    for key in keys:
        for entry in objects_of(usage, key):
            modality = text_of(entry, "modality").upper()
            if modality in counts:
                counts[modality] += int_of(entry, "tokenCount")
    return counts


def read_end(content: JsonObject) -> tuple[ResponseStatus, str]:
    """Return status and reason of a turn that is complete."""
    reason = text_of(content, "turnCompleteReason").upper()
    return ("completed", "") if reason in _WELL_ENDED else ("incomplete", reason.lower())
