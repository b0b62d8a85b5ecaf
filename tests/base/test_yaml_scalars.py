from __future__ import annotations

import pytest

from telephony.base.yaml_scalars import read_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5060", 5060),
        ("-3", -3),
        ("0", 0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("yes", True),
        ("Off", False),
        ("no", False),
        ("~", None),
        ("", None),
        ("alice", "alice"),
        ("0189", "0189"),
        ("1e3", "1e3"),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
    ],
)
def test_plain_words_mean_what_yaml_says(text: str, value: object) -> None:
    scalar = read_scalar(text, True, None)
    assert (scalar.value, scalar.message) == (value, "")
    assert type(scalar.value) is type(value)


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        (
            "+15550100",
            "YAML read this number as the integer 15550100; the + is lost",
            'put it in quotes: "+15550100"',
        ),
        (
            "01234",
            "YAML read this number as the integer 668 (octal); the leading 0 is lost",
            'put it in quotes: "01234", or write 668',
        ),
        (
            "1_000",
            "YAML read this number as the integer 1000; the _ is lost",
            'put it in quotes: "1_000", or write 1000',
        ),
        (
            "0x1F",
            "YAML read this number as the integer 31 (hexadecimal)",
            'put it in quotes: "0x1F", or write 31',
        ),
        (
            "-0b11",
            "YAML read this number as the integer -3 (binary)",
            'put it in quotes: "-0b11", or write -3',
        ),
        (
            "12:30",
            "YAML read this number as the integer 750 (base 60)",
            'put it in quotes: "12:30", or write 750',
        ),
    ],
)
def test_numbers_that_lose_what_was_written_are_mistakes(text: str, message: str, fix: str) -> None:
    scalar = read_scalar(text, True, None)
    assert (scalar.message, scalar.fix) == (message, fix)
    assert scalar.value == text


@pytest.mark.parametrize("text", [".inf", "-.inf", ".nan", "1:30.5", "+1.5", "1_0.5"])
def test_floats_that_are_not_plain_decimal_are_mistakes(text: str) -> None:
    assert read_scalar(text, True, None).message


def test_a_number_too_long_for_an_integer_is_a_mistake() -> None:
    assert "too long" in read_scalar("9" * 5000, True, None).message


def test_a_number_too_large_for_a_float_is_a_mistake() -> None:
    assert "too large" in read_scalar("9" * 400 + ".0", True, None).message


@pytest.mark.parametrize("text", ["+15550100", "01234", "no", "", "~", "12:30"])
def test_quotes_make_anything_text(text: str) -> None:
    scalar = read_scalar(text, False, None)
    assert (scalar.value, scalar.message, scalar.reading) == (text, "", "")


def test_the_str_tag_makes_anything_text_and_other_tags_are_refused() -> None:
    assert read_scalar("123", True, "tag:yaml.org,2002:str").value == "123"
    assert "not supported" in read_scalar("x", True, "!include").message


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("15550100", "YAML read this number as the integer 15550100"),
        ("1555.0100", "YAML read this as the number 1555.01"),
        ("no", "YAML reads the word no as the boolean false"),
        ("on", "YAML reads the word on as the boolean true"),
        ("~", "YAML reads this as null"),
        ("", "nothing was written here"),
        ("alice", ""),
    ],
)
def test_reading_says_what_yaml_made_of_it(text: str, reading: str) -> None:
    assert read_scalar(text, True, None).reading == reading
