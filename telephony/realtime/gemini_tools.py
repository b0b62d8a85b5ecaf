"""Function calls of Gemini: which of them wait for an output, and how that is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from telephony.base.errors import LocalProtocolError
from telephony.realtime.wire import JsonObject, parse_object

_MAX_REMEMBERED = 256


@dataclass(slots=True)
class _Batch:
    """The calls of one message. ``wanted``: an output given so far is to be spoken about."""

    waiting: set[str] = field(default_factory=set)
    collected: list[JsonObject] = field(default_factory=list)
    wanted: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """What an output comes to: ``responses`` to send now, for a call of this ``origin``.

    ``goes_on``: it was the last output of its message, and the model is to speak about them.
    """

    origin: Literal["here", "before", "cancelled"]
    name: str = ""
    responses: tuple[JsonObject, ...] = ()
    goes_on: bool = False


class GeminiCalls:
    """Takes each call once and each output once.

    Of functions that the model waits for (``blocks``) the outputs of one message go together. Of
    others each goes at once; only the last one of a message makes the model speak.
    """

    def __init__(self, *, blocks: bool, scheduling: str) -> None:
        self._blocks = blocks
        self._scheduling = scheduling.upper()
        self._open: dict[str, tuple[str, _Batch | None]] = {}
        self._seen: dict[str, None] = {}
        self._cancelled: dict[str, None] = {}

    @property
    def open_calls(self) -> frozenset[str]:
        return frozenset(self._open)

    def adopt(self, call_id: str, name: str) -> None:
        """Wait for the output of a call that the model made in an earlier session."""
        self._remember(call_id)
        self._open[call_id] = (name, None)

    def settled(self, call_id: str) -> None:
        """A call of an earlier session got its output there."""
        self._open.pop(call_id, None)

    def requested(self, calls: Iterable[tuple[str, str]]) -> set[str]:
        """Take the ids and names of one message's calls; returns the ids that are new."""
        batch = _Batch()
        for call_id, name in calls:
            if call_id not in self._seen:
                self._remember(call_id)
                self._open[call_id] = (name, batch)
                batch.waiting.add(call_id)
        return set(batch.waiting)

    def _remember(self, call_id: str) -> None:
        self._seen[call_id] = None
        if len(self._seen) > _MAX_REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def session_gone(self) -> None:
        """No session knows the calls made so far by their ids any more."""
        self._open = {call_id: (name, None) for call_id, (name, _) in self._open.items()}

    def cancel(self, call_ids: Iterable[str]) -> tuple[tuple[str, ...], tuple[JsonObject, ...]]:
        """Forget calls that the model no longer wants.

        Returns those that were open, and the outputs that had only waited for them.
        """
        cancelled: list[str] = []
        ready: list[JsonObject] = []
        for call_id in call_ids:
            opened = self._open.pop(call_id, None)
            if opened is None:
                continue
            cancelled.append(call_id)
            self._cancelled[call_id] = None
            if len(self._cancelled) > _MAX_REMEMBERED:
                del self._cancelled[next(iter(self._cancelled))]
            batch = opened[1]
            if batch is not None:
                batch.waiting.discard(call_id)
                if not batch.waiting:
                    ready += batch.collected
                    batch.collected = []
        return tuple(cancelled), tuple(ready)

    def answered(self, call_id: str, output: str, *, respond: bool) -> Answered:
        """Take an output; raises LocalProtocolError for a call that has its output already."""
        opened = self._open.pop(call_id, None)
        if opened is None:
            if self._cancelled.pop(call_id, "") is None:
                return Answered("cancelled")
            raise LocalProtocolError(f"no function call {call_id!r} waits for an output")
        name, batch = opened
        if batch is None:
            return Answered("before", name, goes_on=respond)
        batch.waiting.discard(call_id)
        batch.wanted |= respond
        last = not batch.waiting
        response: JsonObject = {"id": call_id, "name": name, "response": response_of(output)}
        if self._blocks:
            batch.collected.append(response)
            together = tuple(batch.collected) if last else ()
            return Answered("here", name, together, last and batch.wanted)
        speaks = last and batch.wanted
        response["scheduling"] = self._scheduling if speaks else "SILENT"
        return Answered("here", name, (response,), speaks)


def response_of(output: str) -> JsonObject:
    """Return a tool's output, JSON or plain text, as a function response holds it."""
    value = parse_object(output)
    if value is None:
        return {"output": output}
    return value if set(value) == {"error"} else {"output": value}
