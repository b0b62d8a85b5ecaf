"""Where a call may be sent on to: a number that a trunk dials, or a SIP URI."""

from __future__ import annotations

import re

from telephony.dialplan.patterns import normalise_number

_NUMBER = re.compile(r"\+?[0-9*#]+")
# Without a headers part: what stands behind ``?`` would be written into somebody's INVITE.
_SIP_URI = re.compile(r"sips?:[^\s<>\"',?@]+(?:@[^\s<>\"',?@]+)?", re.ASCII)
MAX_TARGET_CHARACTERS = 256


def call_target(text: str) -> str:
    """Return a number without separators, or a SIP URI as it is.

    ``tel:`` URIs (RFC 3966) become numbers. Raises ValueError with message and remedy.
    """
    number = normalise_number(text.strip().removeprefix("tel:"))
    if len(text) <= MAX_TARGET_CHARACTERS:
        if _NUMBER.fullmatch(number):
            return number
        if _SIP_URI.fullmatch(text):
            return text
    if text.startswith(("sip:", "sips:")):
        raise ValueError(f"{text!r} is no SIP URI to call\nfix: write sip:user@host")
    raise ValueError(f'{text!r} is nothing to call\nfix: write "+15550100" or sip:user@host')


def is_uri(target: str) -> bool:
    """True for a SIP URI, False for a number."""
    return target.startswith(("sip:", "sips:"))
