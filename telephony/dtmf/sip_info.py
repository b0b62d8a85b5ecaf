"""Digits in SIP INFO bodies: ``application/dtmf-relay`` and ``application/dtmf``."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.base.errors import LocalProtocolError
from telephony.dtmf.telephone_event import DIGITS

RELAY = "application/dtmf-relay"
"""Says the digit and its duration; the one that most peers know."""

PLAIN = "application/dtmf"
"""Says the digit and nothing else."""

_BODY_MAX_BYTES = 256
_MAX_DURATION_MS = 60_000
_FLASH = ("16", "!")


@dataclass(frozen=True, slots=True)
class InfoDigit:
    """``duration_ms`` is 0 when the body does not say it."""

    digit: str
    duration_ms: int = 0


def parse_info_digit(content_type: str, body: bytes) -> InfoDigit | None:
    """Return the digit of an INFO body, or ``None`` when it holds none."""
    fields = _fields(content_type, body)
    digit = _digit(fields.get("signal", ""))
    return None if digit is None else InfoDigit(digit, _duration_ms(fields.get("duration", "")))


def is_dtmf(content_type: str) -> bool:
    """Tell whether a body of this type says a digit at all."""
    return _media_type(content_type) in (RELAY, PLAIN)


def says_signal(content_type: str, body: bytes) -> bool:
    """Tell whether a body says a key, or the hook flash that some phones send in the same way."""
    signal = _fields(content_type, body).get("signal", "")
    return _digit(signal) is not None or signal.strip() in _FLASH


def info_body(content_type: str, digit: str, duration_ms: int) -> bytes:
    """Return the body of an INFO that says ``digit``; raises LocalProtocolError for no key."""
    if len(digit) != 1 or digit not in DIGITS:
        raise LocalProtocolError(f"not a DTMF digit: {digit!r}")
    if content_type == PLAIN:
        return digit.encode("ascii")
    return b"Signal=%s\r\nDuration=%d\r\n" % (digit.encode("ascii"), duration_ms)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    """Return what the lines of a body say, by their names in lower case."""
    if not is_dtmf(content_type) or len(body) > _BODY_MAX_BYTES:
        return {}
    text = body.decode("ascii", "replace")
    fields = {"signal": text} if _media_type(content_type) == PLAIN else {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            # Some peers write the fields of the one type under the name of the other.
            fields[name.strip().lower()] = value
    return fields


def _digit(text: str) -> str | None:
    """Return the key; some peers write 10 and 11 for star and pound."""
    signal = text.strip().upper()
    if signal in ("10", "11", "12", "13", "14", "15"):
        return DIGITS[int(signal)]
    return signal if len(signal) == 1 and signal in DIGITS else None


def _duration_ms(text: str) -> int:
    number = text.strip()
    if not number.isascii() or not number.isdigit() or len(number) > 6:
        return 0
    return min(int(number), _MAX_DURATION_MS)
