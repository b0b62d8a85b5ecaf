"""Digits in SIP INFO bodies: ``application/dtmf-relay`` and ``application/dtmf``."""

from __future__ import annotations

from telephony.dtmf.telephone_event import DIGITS

_BODY_MAX_BYTES = 256


def parse_info_digit(content_type: str, body: bytes) -> str | None:
    """Return the digit of an INFO body, or ``None`` when it holds none."""
    media_type = content_type.partition(";")[0].strip().lower()
    if len(body) > _BODY_MAX_BYTES:
        return None
    text = body.decode("ascii", "replace")
    if media_type == "application/dtmf":
        return _digit(text)
    if media_type != "application/dtmf-relay":
        return None
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip().lower() == "signal":
            return _digit(value)
    return None


def _digit(text: str) -> str | None:
    """Return the key; some peers write 10 and 11 for star and pound."""
    signal = text.strip().upper()
    if signal in ("10", "11", "12", "13", "14", "15"):
        return DIGITS[int(signal)]
    return signal if len(signal) == 1 and signal in DIGITS else None
