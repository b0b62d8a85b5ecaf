"""The JSON of Gemini Live: both spellings of its keys, its durations and its audio types."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from telephony.realtime.wire import JsonObject, decode_audio, text_of

_SNAKE = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")
_RATE = re.compile(r";\s*rate=(\d{1,6})\b")
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_URL_SAFE = str.maketrans("-_", "+/")
_DEPTH = 32

USERS_KEYS = frozenset({"args", "parameters", "parametersJsonSchema", "response", "labels"})
"""What lies under these keys is a user's own: its keys are left as they are."""


def camel_keys(value: Any, opaque: Collection[str] = USERS_KEYS, depth: int = _DEPTH) -> Any:
    """Return JSON data with its keys in lowerCamelCase, which the protocol takes as snake_case too.

    What lies deeper than the protocol nests is left as it is.
    """
    if depth == 0:
        return value
    if isinstance(value, list):
        return [camel_keys(item, opaque, depth - 1) for item in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, inner in value.items():
        if "_" in key:
            key = _SNAKE.sub(lambda match: match[1].upper(), key)
        nested = isinstance(inner, dict | list) and key not in opaque
        out[key] = camel_keys(inner, opaque, depth - 1) if nested else inner
    return out


def seconds_of(source: JsonObject, key: str) -> float | None:
    """Return the duration under ``key``, which is written like ``"12.5s"``."""
    match = _SECONDS.fullmatch(text_of(source, key))
    return float(match[1]) if match else None


def rate_of(mime_type: str) -> int | None:
    """Return the sample rate of ``audio/pcm;rate=24000``; None for what is no PCM."""
    if not mime_type.lower().startswith("audio/pcm"):
        return None
    match = _RATE.search(mime_type)
    return int(match[1]) if match else 24000


def decode_bytes(source: JsonObject, key: str) -> bytes | None:
    """Return the base64 bytes under ``key``, of either alphabet as JSON of protocol buffers."""
    data = decode_audio(source, key)
    value = source.get(key)
    if data is None and isinstance(value, str):
        data = decode_audio({key: value.translate(_URL_SAFE)}, key)
    return data


def resource_name(model: str) -> str:
    """Return the full name of a model of the Gemini API."""
    return model if "/" in model else f"models/{model}"


def short_name(model: str) -> str:
    """Return the last part of a model's name."""
    return model.rpartition("/")[2]
