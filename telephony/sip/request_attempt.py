"""A request of ours that is not an INVITE, with the tries it takes."""

from __future__ import annotations

from collections.abc import Callable

from telephony.sip.message import IncomingResponse
from telephony.sip.outgoing_request import OutgoingRequest
from telephony.sip.status import reason_phrase
from telephony.sip.values import printable

FinalCallback = Callable[[int, str, float], None]
"""Called once with status, reason and now."""

ResponseCallback = Callable[[IncomingResponse, float], None]
"""Called with the final response, when there is one, before the FinalCallback."""


class RequestAttempt:
    """The user of the non-INVITE client transactions of one request.

    Provisional responses are of no interest; a challenge that can be answered makes another try, if
    the request is still ``wanted`` then.
    """

    __slots__ = ("_finished", "_received", "_request", "_wanted")

    def __init__(
        self,
        request: OutgoingRequest,
        finished: FinalCallback,
        received: ResponseCallback | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._request = request
        self._finished = finished
        self._received = received
        self._wanted = wanted

    def begin(self, now: float) -> None:
        request = self._request
        data = request.write(now)
        transactions = request.agent.transactions
        transactions.create_client(request.method, request.branch, request.flow, self).begin(
            data, now
        )

    def response_received(self, response: IncomingResponse, now: float) -> None:
        if response.status < 200:
            return
        if self._wanted() and self._request.answer_challenge(response):
            self._request.renew()
            self.begin(now)
            return
        if self._received is not None:
            self._received(response, now)
        self._finished(response.status, printable(response.reason), now)

    def request_failed(self, status: int, now: float) -> None:
        """End, or go back from the stream that a large request was sent over."""
        if status == 503 and self._wanted() and self._request.return_to_datagrams(now):
            self.begin(now)
            return
        self._finished(status, reason_phrase(status), now)
