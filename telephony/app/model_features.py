"""What each API of realtime models can do here, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
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
_TOLD = "cancelled, told in words what was heard"
_ROLLED = "rolled over to a new session"
_LIVE = ModelFeatures(
    default_model="gpt-live-1.1",
    audio="G.711, PCM16 16 and 24 kHz",
    turns="the model, full duplex",
    barge_in="the model stops itself; ours mutes it here",
    tools="ours, through Claude or a backend; the provider's",
    transcripts="both sides",
    long_calls=_ROLLED,
    usage="seconds, and the backend's tokens",
    extra="anthropic for Claude",
)

_OPENAI = ModelFeatures(
    default_model="gpt-realtime-2.1",
    audio=_OPENAI_AUDIO,
    turns="the model (level or meaning) or ours",
    barge_in=_TRUNCATED,
    tools="ours, the provider's MCP",
    transcripts="both sides",
    long_calls=_ROLLED,
    usage="tokens",
)
_GEMINI = ModelFeatures(
    default_model="gemini-3.8-live",
    audio="PCM16, 16 kHz up, 24 kHz down",
    turns="the model or ours",
    barge_in="stops by itself; our history is cut to the ms heard",
    tools="ours (blocking or not), Google's",
    transcripts="both sides",
    long_calls="resumed on its handle every ten minutes",
    usage="tokens",
)

FEATURES: Final[dict[str, ModelFeatures]] = {
    "openai_realtime": _OPENAI,
    "azure_openai": replace(_OPENAI, default_model=""),
    "xai": replace(
        _OPENAI,
        default_model="grok-voice-latest",
        turns="the model (level) or ours",
        tools="ours, the provider's MCP and searches",
        usage="",
    ),
    "inworld": replace(
        _OPENAI, default_model="openai/gpt-4.1-mini", barge_in=_TOLD, tools="ours", usage=""
    ),
    "azure_voice_live": replace(_OPENAI, default_model="gpt-4o-mini"),
    "qwen_omni": replace(
        _OPENAI,
        default_model="qwen3.5-omni-flash-realtime",
        audio="PCM16 16 kHz in, 24 kHz out",
        barge_in=_TOLD,
        tools="ours",
    ),
    "local_realtime": replace(
        _OPENAI,
        default_model="",
        audio="PCM16 24 kHz, G.711 if told so",
        barge_in="cancelled, cut to the ms heard if it can",
        tools="ours",
        transcripts="both sides, if asked for",
        usage="",
    ),
    "gemini_live": _GEMINI,
    "gemini_vertex": replace(_GEMINI, default_model="gemini-live-2.5-flash-native-audio"),
    "openai_agents": replace(_OPENAI, tools="ours, those of the user's agents", extra="agents"),
    "cascade": ModelFeatures(
        default_model="claude-haiku-5-5",
        audio="what transcriber and voice take: G.711 untouched or PCM16",
        turns="ours, by pause, words and the transcriber's hints",
        barge_in="cancelled, cut to the word heard",
        tools="ours, with filler phrases",
        transcripts="both sides",
        long_calls="no limit: there is no session",
        usage="tokens, characters, seconds",
        extra="anthropic",
    ),
    "openai_live": _LIVE,
    "azure_openai_live": replace(_LIVE, audio="PCM16 24 kHz"),
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
