"""Which function calls of the model still wait for an output."""

from __future__ import annotations

from telephony.base.errors import LocalProtocolError
from telephony.realtime.events import ToolCallRequested

_MAX_REMEMBERED = 256


class ToolCalls:
    """Reports each call once and says when the model should go on.

    A response may hold several calls: the model is asked to respond once, after the last output.
    """

    def __init__(self) -> None:
        self._open: dict[str, str] = {}
        self._seen: dict[str, None] = {}
        self._adopted: set[str] = set()
        self._by_response: dict[str, list[ToolCallRequested]] = {}
        self._continuation_wanted = False

    @property
    def open_calls(self) -> frozenset[str]:
        return frozenset(self._open)

    def adopt(self, call_id: str) -> None:
        """Wait for the output of a call that the model made in an earlier session."""
        self._seen[call_id] = None
        self._open[call_id] = ""
        self._adopted.add(call_id)

    def new_session(self) -> None:
        """The calls that wait now were made in a session that is no more."""
        self._adopted = set(self._open)

    def is_known_to_session(self, call_id: str) -> bool:
        """Return whether the model made the call in the session there is now."""
        return call_id not in self._adopted

    def settled(self, call_id: str) -> None:
        """A call of an earlier session got its output there."""
        self._open.pop(call_id, None)

    def requested(self, call: ToolCallRequested) -> bool:
        """Take note of a call; returns whether it is new."""
        if call.call_id in self._seen:
            return False
        self._seen[call.call_id] = None
        if len(self._seen) > _MAX_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._open[call.call_id] = call.response_id
        self._by_response.setdefault(call.response_id, []).append(call)
        return True

    def of_response(self, response_id: str) -> tuple[ToolCallRequested, ...]:
        """Return the calls of a response that has ended, and forget the list."""
        return tuple(self._by_response.pop(response_id, ()))

    def answered(self, call_id: str, *, respond: bool) -> None:
        """Take note of an output. ``respond``: the model should speak about it."""
        if self._open.pop(call_id, None) is None:
            raise LocalProtocolError(f"no function call {call_id!r} waits for an output")
        self._continuation_wanted |= respond

    def covered(self) -> None:
        """A response began that knows every output given so far."""
        self._continuation_wanted = False

    def take_continuation(self) -> bool:
        """Return whether the last output has been given and the model should go on; once."""
        if self._open or not self._continuation_wanted:
            return False
        self._continuation_wanted = False
        return True
