"""Which response is active, which is asked for, which may not be heard any more.

Only one response at a time may write to the conversation. A request made while one is active, or
while the caller speaks, waits here; a request the server refused because it had just begun a
response of its own waits for that one to end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from telephony.realtime.countdown import Countdown
from telephony.realtime.wire import JsonObject

CREATED_TIMEOUT_S = 10.0
CANCEL_TIMEOUT_S = 5.0
CALLER_TURN_LIMIT_S = 30.0
AUTOMATIC_RESPONSE_S = 2.0
_MAX_REMEMBERED = 64
_MAX_SENT = 8
_MAX_ATTEMPTS = 3


@dataclass(slots=True)
class ResponseRequest:
    """A ``response.create`` of ours. ``bare`` ones ask for nothing a later response lacks."""

    event_id: str
    body: JsonObject = field(default_factory=dict)
    attempts: int = 0

    @property
    def bare(self) -> bool:
        return not self.body


class ResponseGate:
    """Decides when a request is sent; the owner sends what :meth:`request` and the rest return."""

    def __init__(self, stall_s: float) -> None:
        self.active_id = ""
        self._stall_s = stall_s
        self._awaiting: ResponseRequest | None = None
        self._sent: dict[str, ResponseRequest] = {}
        self._deferred: ResponseRequest | None = None
        self._caller_speaking = False
        self._ready = False
        self._cancel_on_start = False
        self._cancelling = False
        self._active_covers = False
        self._fenced: dict[str, None] = {}
        self._finished: dict[str, None] = {}
        self._abandoned: dict[str, None] = {}
        self.awaiting_timer = Countdown()
        self.stall_timer = Countdown()
        self.hold_timer = Countdown()

    @property
    def busy(self) -> bool:
        """Whether a response is active or has been asked for."""
        return bool(self.active_id) or self._awaiting is not None

    @property
    def cancelling(self) -> bool:
        """Whether the active response is only waited for to end."""
        return self._cancelling

    def disconnected(self) -> None:
        """Forget all that belonged to the connection, but keep an unmet request."""
        self._deferred = self._awaiting or self._deferred
        self._awaiting = None
        self._sent.clear()
        self.active_id = ""
        self._caller_speaking = self._ready = False
        self._cancel_on_start = self._cancelling = False
        self._abandoned.clear()
        for timer in (self.awaiting_timer, self.stall_timer, self.hold_timer):
            timer.stop()

    def ready(self) -> ResponseRequest | None:
        self._ready = True
        return self.release()

    def request(self, request: ResponseRequest, *, patient: bool = False) -> ResponseRequest | None:
        """Return the request when it is to be sent now; otherwise it waits.

        A patient one waits for the caller's turn too. One request waits at most: one with
        instructions is not replaced by a bare one.
        """
        held = patient and (self._caller_speaking or self.hold_timer.running)
        if self._ready and not self.busy and not held:
            return self._send(request)
        if self._deferred is None or not request.bare:
            self._deferred = request
        return None

    def _send(self, request: ResponseRequest) -> ResponseRequest:
        request.attempts += 1
        self._awaiting = request
        self._sent[request.event_id] = request
        if len(self._sent) > _MAX_SENT:
            del self._sent[next(iter(self._sent))]
        self.awaiting_timer.start(CREATED_TIMEOUT_S)
        return request

    def release(self, *, overdue: bool = False) -> ResponseRequest | None:
        """Return the waiting request when nothing holds it back any more."""
        if self._deferred is None or not self._ready or self.busy:
            return None
        if not overdue and (self._caller_speaking or self.hold_timer.running):
            return None
        request, self._deferred = self._deferred, None
        self.hold_timer.stop()
        return self._send(request)

    def caller_started(self) -> None:
        self._caller_speaking = True
        self.hold_timer.start(CALLER_TURN_LIMIT_S)

    def caller_stopped(self, *, response_follows: bool) -> ResponseRequest | None:
        """The server's own response, when one follows, comes before what waits here."""
        if not self._caller_speaking:
            return None
        self._caller_speaking = False
        self.hold_timer.stop()
        if response_follows:
            self.hold_timer.start(AUTOMATIC_RESPONSE_S)
        return self.release()

    def expect_response(self) -> None:
        """The server is about to begin a response of its own: it comes before what waits here."""
        self.hold_timer.start(AUTOMATIC_RESPONSE_S)

    def held_long_enough(self) -> ResponseRequest | None:
        self._caller_speaking = False
        return self.release(overdue=True)

    def started(self, response_id: str, *, covers_deferred: bool, now: float) -> bool:
        """A response began; returns whether it is to be cancelled at once.

        ``covers_deferred``: it began with all that a bare waiting request wanted it to know.
        """
        self.active_id = response_id
        self._active_covers = covers_deferred
        self._awaiting = None
        self.awaiting_timer.stop()
        self.hold_timer.stop()
        self.stall_timer.start_at(self._stall_s, now)
        if covers_deferred and self._deferred is not None and self._deferred.bare:
            self._deferred = None
        cancel, self._cancel_on_start = self._cancel_on_start, False
        return cancel

    def progressed(self, now: float) -> None:
        """The active response sent something."""
        if not self._cancelling:
            self.stall_timer.start_at(self._stall_s, now)

    def finished(self, response_id: str) -> None:
        """End a response; with it, its fence is forgotten, as nothing of it is accepted now."""
        _remember(self._finished, response_id)
        self._fenced.pop(response_id, None)
        if response_id == self.active_id:
            self.active_id = ""
            self._cancelling = False
            self.stall_timer.stop()

    def refused(self, event_id: str) -> bool:
        """The server had begun a response of its own: keep our request for later.

        Unless that response knows all that a bare request wanted. Returns whether the message
        refused was the request.
        """
        if not event_id and self._awaiting is not None:
            event_id = self._awaiting.event_id
        # A response that began meanwhile may have been taken for the answer: look at all we sent.
        request = self._sent.pop(event_id, None)
        if request is None:
            return False
        if request is self._awaiting:
            self.gave_up()
        covered = request.bare and bool(self.active_id) and self._active_covers
        replaces = self._deferred is None or not request.bare
        if request.attempts < _MAX_ATTEMPTS and replaces and not covered:
            self._deferred = request
        if not self.active_id and not self._caller_speaking:
            self.hold_timer.start(AUTOMATIC_RESPONSE_S)
        return True

    def rejected(self, event_id: str) -> bool:
        """The server found fault with a message; returns whether it was the request."""
        if self._awaiting is None or event_id != self._awaiting.event_id:
            return False
        self.gave_up()
        return True

    def unanswered(self) -> ResponseRequest | None:
        """No answer came in time: return the request that waits, else keep this one for later."""
        request = None if self._cancel_on_start else self._awaiting
        self.gave_up()
        if self._deferred is None:
            self._deferred = request
            return None
        return self.release()

    def gave_up(self) -> None:
        """No answer comes any more to the request that was sent."""
        self._awaiting = None
        self._cancel_on_start = False
        self.awaiting_timer.stop()

    def cancel(self, response_id: str | None) -> str:
        """Return the id of the response to cancel now, or "".

        Without an id, a response asked for but not begun is cancelled when it begins.
        """
        if self.active_id and response_id in (None, self.active_id):
            self._cancelling = True
            self.stall_timer.start(CANCEL_TIMEOUT_S)
            return self.active_id
        if response_id is None and self._awaiting is not None:
            self._cancel_on_start = True
        return ""

    def withdraw(self) -> bool:
        """Forget the request that waits; returns whether there was one."""
        waited = self._deferred is not None
        self._deferred = None
        return waited

    def abandon(self, response_id: str) -> None:
        """Remember that we end this response although the server has not."""
        _remember(self._abandoned, response_id)

    def is_abandoned(self, response_id: str) -> bool:
        return response_id in self._abandoned

    def ended_at_last(self, response_id: str) -> bool:
        """The server's own end came; returns whether we had ended the response before."""
        return self._abandoned.pop(response_id, "") is None

    def fence(self, response_id: str) -> None:
        if response_id not in self._finished:
            _remember(self._fenced, response_id)

    def is_fenced(self, response_id: str) -> bool:
        return response_id in self._fenced

    def is_finished(self, response_id: str) -> bool:
        return response_id in self._finished


def _remember(ids: dict[str, None], response_id: str) -> None:
    ids[response_id] = None
    if len(ids) > _MAX_REMEMBERED:
        del ids[next(iter(ids))]
