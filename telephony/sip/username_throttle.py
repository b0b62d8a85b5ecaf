"""Slows the guessing of one user's password from many sources.

Bans stop one source; who has many gets a few tries from each. So failures also count for the user
name, whether it exists or not, and after a few of them an attempt is looked at only now and then.
The real user gets through: sources he was verified from are not slowed, and from anywhere else
his repeated requests are looked at sooner or later.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

_FREE_FAILURES: Final = 5.0
_FADE_S: Final = 60.0
_FIRST_DELAY_S: Final = 0.5
_MAX_DELAY_S: Final = 30.0
_MAX_LEVEL: Final = 16.0
_MAX_USERNAMES: Final = 10_000
_MAX_FRIENDS: Final = 8
_MAX_KEY_CHARS: Final = 64


@dataclass(slots=True)
class _Record:
    """Failures that fade one a minute, when the next attempt is due, and the sources known."""

    level: float = 0.0
    failed_at: float = 0.0
    next_at: float = 0.0
    friends: list[str] = field(default_factory=list)


class UsernameThrottle:
    """Ask ``allows`` before a password is checked, then tell how it went."""

    __slots__ = ("_records",)

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def allows(self, username: str, source: str, now: float) -> bool:
        record = self._records.get(username[:_MAX_KEY_CHARS])
        if record is None or source in record.friends:
            return True
        level = _faded(record, now)
        if level < _FREE_FAILURES:
            return True
        if now < record.next_at:
            return False
        delay_s = min(_FIRST_DELAY_S * 2.0 ** (level - _FREE_FAILURES), _MAX_DELAY_S)
        record.next_at = now + delay_s
        return True

    def failed(self, username: str, source: str, now: float) -> None:
        record = self._record(username)
        record.level = min(_faded(record, now) + 1.0, _MAX_LEVEL)
        record.failed_at = now
        if source in record.friends:
            record.friends.remove(source)

    def succeeded(self, username: str, source: str) -> None:
        """Remember ``source``; the failures of others stay counted."""
        record = self._record(username)
        if source in record.friends:
            record.friends.remove(source)
        record.friends.append(source)
        del record.friends[:-_MAX_FRIENDS]

    def _record(self, username: str) -> _Record:
        key = username[:_MAX_KEY_CHARS]
        record = self._records.get(key)
        if record is None:
            if len(self._records) >= _MAX_USERNAMES:
                self._records.popitem(last=False)
            record = self._records[key] = _Record()
        self._records.move_to_end(key)
        return record


def _faded(record: _Record, now: float) -> float:
    return max(0.0, record.level - (now - record.failed_at) / _FADE_S)
