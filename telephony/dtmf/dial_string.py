"""Keys to press and pauses between them, as people write them: ``1,,23#``."""

from __future__ import annotations

from telephony.dtmf.telephone_event import DIGITS

PAUSE_MS = 500
"""How long a ``,`` or a ``w`` waits."""

_PAUSE = ","
_PAUSES = ",w"
_IGNORED = " -"


def read_dial_string(text: str, max_length: int) -> str:
    """Return the keys, upper case, and a ``,`` for each pause; blanks and hyphens mean nothing.

    Raises ValueError, with a remedy, for other characters, for none, and for too many.
    """
    read = []
    for char in text:
        if char in _IGNORED:
            continue
        if char.lower() in _PAUSES:
            read.append(_PAUSE)
        elif char.upper() in DIGITS:
            read.append(char.upper())
        else:
            raise ValueError(f"no such keys: {char!r}; there are 0-9 * # A-D, and , for a pause")
    if not any(char != _PAUSE for char in read):
        raise ValueError("there are no keys to press; write 0-9 * # A-D")
    if len(read) > max_length:
        raise ValueError(f"{len(read)} keys and pauses are too many; at most {max_length}")
    return "".join(read)


def is_pause(char: str) -> bool:
    return char == _PAUSE
