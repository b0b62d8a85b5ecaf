"""JSON to and from the model: readers that accept anything, writers of one compact form."""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]

_EMPTY: JsonObject = {}


def parse_object(message: str | bytes | bytearray) -> JsonObject | None:
    """Return the JSON object in ``message``, or None for anything else."""
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def encode_object(value: Mapping[str, Any]) -> bytes:
    """Return compact UTF-8 JSON; a lone surrogate stays an escape, as UTF-8 can't hold it."""
    return json.dumps(value, separators=(",", ":")).encode()


def text_of(source: Mapping[str, Any], key: str) -> str:
    """Return the string under ``key``, or "" when there is none; always valid Unicode."""
    value = source.get(key)
    if not isinstance(value, str):
        return ""
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode()


def int_of(source: Mapping[str, Any], key: str) -> int:
    """Return the number under ``key`` without its fraction, or 0 when there is none."""
    number = number_of(source, key)
    return 0 if number is None else int(number)


def int_or_none_of(source: Mapping[str, Any], key: str) -> int | None:
    """Return the number under ``key`` without its fraction, or None when there is none."""
    number = number_of(source, key)
    return None if number is None else int(number)


def number_of(source: Mapping[str, Any], key: str) -> float | None:
    """Return the finite number under ``key``; JSON's own booleans and NaN are none."""
    value = source.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 1e15 else None


def object_of(source: Mapping[str, Any], key: str) -> JsonObject:
    value = source.get(key)
    return value if isinstance(value, dict) else _EMPTY


def objects_of(source: Mapping[str, Any], key: str) -> list[JsonObject]:
    """Return the objects in the list under ``key``, leaving out all else in it."""
    value = source.get(key)
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, dict)]


def decode_audio(source: Mapping[str, Any], key: str) -> bytes | None:
    """Return the base64 bytes under ``key``; padding may lack; None when it is no base64."""
    value = source.get(key)
    if not isinstance(value, str):
        return None
    try:
        return binascii.a2b_base64(value + "=" * (-len(value) % 4), strict_mode=True)
    except ValueError:
        return None
