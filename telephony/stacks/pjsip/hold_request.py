"""Puts the peer on hold and takes it off again, one re-INVITE at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from telephony.base.ids import Ids

MAX_ATTEMPTS: Final = 5


class HoldRequest:
    """``turn`` sends the re-INVITE. Nothing is sent before :meth:`open`."""

    def __init__(self, turn: Callable[[bool], None]) -> None:
        self._turn = turn
        self._wanted = False
        self._said = False
        self._open = False
        self._pending = False
        self._attempts = 0

    def open(self) -> None:
        """The call stands: what was wanted before is asked for now."""
        self._open = True
        self._offer()

    def want(self, held: bool) -> None:
        if held != self._wanted:
            self._wanted, self._attempts = held, 0
            self._offer()

    def answered(self, status: int, ids: Ids) -> float | None:
        """Take the final response; returns after how long to :meth:`retry`, None for not.

        RFC 3261 section 14.1: after a collision both sides wait, and not equally long.
        """
        if not self._pending:
            return None
        self._pending = False
        if status == 491 and self._attempts < MAX_ATTEMPTS:
            self._said = not self._said
            return 2.1 + ids.uint16() / 65_535 * 1.9
        self._offer()
        return None

    def refused(self) -> bool:
        """PJSIP has another re-INVITE under way; True when it is worth to retry."""
        self._pending = False
        self._said = not self._said
        return self._attempts < MAX_ATTEMPTS

    def retry(self) -> None:
        self._offer()

    def _offer(self) -> None:
        if self._open and not self._pending and self._wanted != self._said:
            self._pending, self._said = True, self._wanted
            self._attempts += 1
            self._turn(self._wanted)
