"""Readers that accept anything."""

from __future__ import annotations

import json

import pytest

from telephony.realtime.wire import (
    decode_audio,
    encode_object,
    int_of,
    int_or_none_of,
    number_of,
    object_of,
    objects_of,
    parse_object,
    text_of,
)


@pytest.mark.parametrize(
    "message",
    [
        "",
        b"",
        "{",
        "[]",
        "null",
        "5",
        b"\xff\xfe{}",
        "[" * 200_000,
        '{"a":' * 50_000,
        "9" * 10_000,
        b"\x00",
        '{"a": 1} x',
    ],
)
def test_what_is_no_object_is_none(message: str | bytes) -> None:
    assert parse_object(message) is None


@pytest.mark.parametrize("message", ['{"a":1}', b'{"a":1}', bytearray(b'{"a":1}')])
def test_an_object_is_read_from_text_or_bytes(message: str | bytes) -> None:
    assert parse_object(message) == {"a": 1}


@pytest.mark.parametrize(
    "value", [None, True, 5, 1.5, [], {}, ["x"], float("nan"), float("inf"), 10**400]
)
def test_a_wrong_type_is_the_default(value: object) -> None:
    source = {"k": value}
    assert text_of(source, "k") == ""
    assert isinstance(int_of(source, "k"), int)
    assert object_of(source, "k") == {}
    assert objects_of(source, "k") == []
    assert decode_audio(source, "k") is None


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), (5.9, 5), (-3, -3), (True, 0), ("5", 0), (float("nan"), 0), (1e300, 0), (None, 0)],
)
def test_numbers_are_finite_integers(value: object, number: int) -> None:
    assert int_of({"k": value}, "k") == number


def test_a_missing_number_is_none() -> None:
    assert number_of({}, "k") is None
    assert number_of({"k": 1.5}, "k") == 1.5


def test_text_is_always_valid_unicode() -> None:
    source = json.loads('{"k": "a\\ud800b ü"}')
    assert text_of(source, "k") == "a?b ü"


def test_objects_leaves_out_all_else() -> None:
    assert objects_of({"k": [1, {"a": 1}, None, [], {"b": 2}]}, "k") == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("text", "audio"),
    [
        ("", b""),
        ("AAEC", b"\x00\x01\x02"),
        ("AAE=", b"\x00\x01"),
        ("AAE", b"\x00\x01"),
        ("AA", b"\x00"),
        ("A", None),
        ("A===", None),
        ("AA EC", None),
        ("AA\nEC", None),
        ("AA-_", None),
        ("=AAE", None),
        ("ÄÖÜ=", None),
        ("AAE=AAE=", None),
    ],
)
def test_base64_is_taken_whole_or_not_at_all(text: str, audio: bytes | None) -> None:
    assert decode_audio({"k": text}, "k") == audio


def test_objects_are_written_compactly() -> None:
    assert encode_object({"a": [1, "ü"]}) == b'{"a":[1,"\\u00fc"]}'


@pytest.mark.parametrize(
    ("value", "read"), [(5, 5), (5.9, 5), (0, 0), (None, None), ("5", None), (True, None)]
)
def test_a_number_that_need_not_be_there(value: object, read: int | None) -> None:
    assert int_or_none_of({"a": value}, "a") == read
    assert int_or_none_of({}, "a") is None
