"""What YAML 1.1 makes of one plain word, and when that is not what was meant.

A plain ``+15550100`` is the integer 15550100 to YAML, ``01234`` is octal, ``12:30`` is base 60
and ``no`` is false. A number whose digits would not survive is a mistake wherever it stands; a
plain number or boolean is a mistake only where text is expected, which the schema finds out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import yaml

_INT_TAG = "tag:yaml.org,2002:int"
_FLOAT_TAG = "tag:yaml.org,2002:float"
_BOOL_TAG = "tag:yaml.org,2002:bool"
_NULL_TAG = "tag:yaml.org,2002:null"
_STR_TAG = "tag:yaml.org,2002:str"

_TRUE_WORDS = frozenset({"yes", "true", "on"})
_PLAIN_INT = re.compile(r"-?(0|[1-9][0-9]{0,29})")
_PLAIN_FLOAT = re.compile(r"-?[0-9]*\.[0-9]*([eE][-+][0-9]+)?")

_resolver = yaml.resolver.Resolver()


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar: what was written, what it means, and the mistake in it (or no message)."""

    text: str
    value: str | int | float | bool | None
    message: str = ""
    fix: str = ""

    @property
    def reading(self) -> str:
        """How YAML read it, for a message where text was expected; empty for text."""
        match self.value:
            case None:
                return "nothing was written here" if not self.text else "YAML reads this as null"
            case bool():
                word = "true" if self.value else "false"
                return f"YAML reads the word {self.text} as the boolean {word}"
            case int():
                return f"YAML read this number as the integer {self.value}"
            case float():
                return f"YAML read this as the number {self.value}"
            case _:
                return ""


def read_scalar(text: str, plain: bool, tag: str | None) -> Scalar:
    """Return the meaning of a scalar; ``plain`` means unquoted, ``tag`` an explicit ``!tag``."""
    if tag == _STR_TAG or (tag == "!" and not plain):
        return Scalar(text, text)
    if tag is not None:
        return Scalar(text, text, f"tag {tag} is not supported", "remove the tag")
    if not plain:
        return Scalar(text, text)
    resolved = _resolver.resolve(  # type: ignore[no-untyped-call]
        yaml.ScalarNode, text, (True, False)
    )
    if resolved == _NULL_TAG:
        return Scalar(text, None)
    if resolved == _BOOL_TAG:
        return Scalar(text, text.lower() in _TRUE_WORDS)
    if resolved == _INT_TAG:
        return _read_int(text)
    if resolved == _FLOAT_TAG:
        return _read_float(text)
    # Dates stay text: nothing here is configured by a date object.
    return Scalar(text, text)


def _read_int(text: str) -> Scalar:
    if _PLAIN_INT.fullmatch(text):
        return Scalar(text, int(text))
    quoted = f'put it in quotes: "{text}"'
    if len(text) > 30:
        return Scalar(text, text, "this number is too long for an integer", quoted)
    value = _surprising_int(text)
    reading = f"YAML read this number as the integer {value}"
    if text.startswith("+"):
        return Scalar(text, text, f"{reading}; the + is lost", quoted)
    return Scalar(text, text, f"{reading}{_why(text)}", f"{quoted}, or write {value}")


def _why(text: str) -> str:
    digits = text.removeprefix("-")
    if ":" in digits:
        return " (base 60)"
    if digits.startswith("0x"):
        return " (hexadecimal)"
    if digits.startswith("0b"):
        return " (binary)"
    if digits.startswith("0") and len(digits.replace("_", "")) > 1:
        return " (octal); the leading 0 is lost"
    return "; the _ is lost"


def _surprising_int(text: str) -> int:
    """Return the value YAML 1.1 gives an integer that is not written in plain decimal."""
    digits = text.replace("_", "").lstrip("+-")
    sign = -1 if text.startswith("-") else 1
    if digits.startswith("0b"):
        return sign * int(digits[2:] or "0", 2)
    if digits.startswith("0x"):
        return sign * int(digits[2:] or "0", 16)
    if ":" in digits:
        value = 0
        for part in digits.split(":"):
            value = value * 60 + int(part)
        return sign * value
    if digits.startswith("0"):
        return sign * int(digits, 8)
    return sign * int(digits or "0")


def _read_float(text: str) -> Scalar:
    quoted = f'put it in quotes: "{text}"'
    if not _PLAIN_FLOAT.fullmatch(text):
        return Scalar(text, text, "YAML reads this as a number that is not plain decimal", quoted)
    value = float(text)
    if math.isinf(value):
        return Scalar(text, text, "this number is too large", quoted)
    return Scalar(text, value)
