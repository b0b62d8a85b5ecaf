"""What each API of realtime models can do here, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class ModelFeatures:
    """One API. Every field is a cell of the table, in words that are short enough for one."""

    default_model: str
    audio: str
    turns: str
    barge_in: str
    tools: str
    transcripts: str
    long_calls: str
    usage: str
    extra: str = ""


TITLES: Final[dict[str, str]] = {
    "default_model": "default model",
    "audio": "audio",
    "turns": "whose turn it is",
    "barge_in": "when the caller interrupts",
    "tools": "tools",
    "transcripts": "transcripts",
    "long_calls": "past the session's limit",
    "usage": "paid by",
    "extra": "extra",
}

_OPENAI_AUDIO = "G.711, PCM16 24 kHz"
_TRUNCATED = "cancelled, cut to the ms heard"
_ROLLED = "rolled over to a new session"

FEATURES: Final[dict[str, ModelFeatures]] = {
    "openai_realtime": ModelFeatures(
        default_model="gpt-realtime-2.1",
        audio=_OPENAI_AUDIO,
        turns="the model (level or meaning) or ours",
        barge_in=_TRUNCATED,
        tools="ours, the provider's MCP",
        transcripts="both sides",
        long_calls=_ROLLED,
        usage="tokens",
    ),
    "gemini_live": ModelFeatures(
        default_model="gemini-3.8-live",
        audio="PCM16, 16 kHz up, 24 kHz down",
        turns="the model or ours",
        barge_in="stops by itself; our history is cut to the ms heard",
        tools="ours (blocking or not), Google's",
        transcripts="both sides",
        long_calls="resumed on its handle every ten minutes",
        usage="tokens",
    ),
    "gemini_vertex": ModelFeatures(
        default_model="gemini-live-2.5-flash-native-audio",
        audio="PCM16, 16 kHz up, 24 kHz down",
        turns="the model or ours",
        barge_in="stops by itself; our history is cut to the ms heard",
        tools="ours (blocking or not), Google's",
        transcripts="both sides",
        long_calls="resumed on its handle every ten minutes",
        usage="tokens",
    ),
    "openai_agents": ModelFeatures(
        default_model="gpt-realtime-2.1",
        audio=_OPENAI_AUDIO,
        turns="the model (level or meaning) or ours",
        barge_in=_TRUNCATED,
        tools="ours, those of the user's agents",
        transcripts="both sides",
        long_calls=_ROLLED,
        usage="tokens",
        extra="agents",
    ),
}


def feature_rows() -> list[list[str]]:
    """Return the table: a row of titles, then one for each API."""
    rows = [["`api`", *TITLES.values()]]
    rows += [
        [f"`{name}`", *(getattr(features, title) or "–" for title in TITLES)]
        for name, features in FEATURES.items()
    ]
    return rows


def untitled() -> Sequence[str]:
    """Return the features that the table leaves out."""
    return [field.name for field in fields(ModelFeatures) if field.name not in TITLES]
