"""A request of ours that is not an INVITE."""

from __future__ import annotations

from collections.abc import Callable

from telephony.sip.message import IncomingResponse
from telephony.sip.status import reason_phrase
from telephony.sip.values import printable

FinalCallback = Callable[[int, str, float], None]
"""Called once with status, reason and now."""


class RequestAttempt:
    """The user of a non-INVITE client transaction: provisional responses are of no interest."""

    __slots__ = ("_finished",)

    def __init__(self, finished: FinalCallback) -> None:
        self._finished = finished

    def response_received(self, response: IncomingResponse, now: float) -> None:
        if response.status >= 200:
            self._finished(response.status, printable(response.reason), now)

    def request_failed(self, status: int, now: float) -> None:
        self._finished(status, reason_phrase(status), now)
