"""A REFER of ours, from its sending to the end of what the peer tells of it (RFC 3515)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

NOTHING_HEARD_S: Final = 60.0
"""How long nothing may be heard of the call that the peer was asked to place."""


class Referral:
    """``on_finished`` is told status, reason and whether the REFER itself was refused, once."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_progressed: Callable[[int, str], None],
        on_finished: Callable[[int, str, bool], None],
    ) -> None:
        self._loop = loop
        self._on_progressed = on_progressed
        self._on_finished = on_finished
        self._pending = False
        self._taken = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._pending, self._taken = True, False
        self._wait()

    def answered(self, status: int, reason: str) -> None:
        """Take the final response to the REFER."""
        if status >= 300:
            self._finish(status, reason, refused=True)
        else:
            self._taken = True
            self._wait()

    def notified(self, status: int, reason: str, final: bool) -> None:
        """Take what PJSIP tells; that includes the answer to the REFER, which came before."""
        if not self._pending:
            return
        if final and status >= 200:
            self._finish(status, reason, refused=not self._taken and status >= 300)
        elif status < 200:
            self._wait()
            self._on_progressed(status, reason)

    def failed(self, status: int, reason: str) -> None:
        """Nothing could be sent."""
        self._finish(status, reason, refused=False)

    def close(self) -> None:
        """Wait for nothing any more."""
        self._pending = False
        self._stop_timer()

    def _finish(self, status: int, reason: str, refused: bool) -> None:
        if self._pending:
            self.close()
            self._on_finished(status, reason, refused)

    def _wait(self) -> None:
        self._stop_timer()
        if self._pending:
            self._timer = self._loop.call_later(
                NOTHING_HEARD_S, self._finish, 408, "Nothing was heard of the transfer", False
            )

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
