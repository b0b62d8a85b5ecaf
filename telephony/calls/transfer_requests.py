"""Carries out ``transfer``, once the announcement of it was heard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any, Protocol

from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.farewell import Farewell
from telephony.calls.transfer_tool import (
    ANNOUNCEMENT,
    CALLING,
    CANCELLED,
    NOT_CANCELLED,
    UNDER_WAY,
    cancels,
    chosen,
    failure_text,
    unknown_destination,
)
from telephony.realtime.events import ToolCallRequested

TransferCaller = Callable[[Destination], Awaitable[TransferResult]]
"""Transfers the caller of a call; when that succeeds the call ends by itself."""


class TransferringCall(Protocol):
    """The conversation, as far as transfers know it."""

    @property
    def agent(self) -> Agent: ...

    @property
    def closed(self) -> bool: ...

    def answer_tool(self, call_id: str, output: str, *, respond: bool = True) -> bool:
        """Give a call of a tool its output; False when nobody waits for it any more."""

    def tell(self, text: str) -> None:
        """Tell the model a fact."""

    def correct(self, text: str) -> None:
        """Tell the model a fact and ask it to speak."""


class TransferRequests:
    """The transfers of one call that its model asks for."""

    def __init__(
        self,
        farewell: Farewell,
        call: TransferringCall,
        transfer: TransferCaller,
        give_up: Callable[[], bool],
        tasks: CallTasks,
        log: Any,
    ) -> None:
        self._farewell = farewell
        self._call = call
        self._transfer = transfer
        self._give_up = give_up
        self._tasks = tasks
        self._log = log
        self._under_way = False
        self._owed_to = ""
        """The call of the tool that waits for the outcome."""
        self._otherwise: Callable[[], None] | None = None
        """What follows a failure in the model's place."""

    def requested(self, call: ToolCallRequested, *, interrupted: bool) -> None:
        """The model called ``transfer``, in a response that is over now."""
        destinations = self._call.agent.transfers
        name = chosen(call.arguments, destinations)
        if cancels(call.arguments, destinations):
            self._answer(call, CANCELLED if self._give_up() else NOT_CANCELLED)
        elif name is None:
            self._answer(call, unknown_destination(destinations))
        elif self._under_way:
            self._answer(call, UNDER_WAY)
        else:
            self._log.info("transfer.requested", destination=name)
            depart = partial(self._depart, call, name, destinations[name])
            self._farewell.requested(call, ANNOUNCEMENT, depart, interrupted=interrupted)

    def cancelled(self, call_ids: Collection[str]) -> None:
        """The model wants no output of these calls; what comes of them is told as a fact."""
        if self._owed_to in call_ids:
            self._owed_to = ""

    def send_away(self, name: str, otherwise: Callable[[], None]) -> None:
        """Transfer the caller without asking the model; ``otherwise`` follows a failure.

        A caller who is on the way to somebody else already goes there.
        """
        self._otherwise = otherwise
        if not self._under_way:
            self._under_way = True
            self._tasks.start(self._run, name, self._call.agent.transfers[name])

    def _depart(
        self, call: ToolCallRequested, name: str, destination: Destination, answered: bool
    ) -> None:
        """Transfer the caller; ``answered``: the call of the tool has its output already."""
        if self._under_way:
            # They were sent away while the announcement was waited for.
            if not answered:
                self._call.answer_tool(call.call_id, UNDER_WAY, respond=False)
            return
        self._under_way = True
        self._owed_to = "" if answered else call.call_id
        self._tasks.start(self._run, name, destination)

    async def _run(self, name: str, destination: Destination) -> None:
        if destination.mode == "attended" and self._otherwise is None:
            # The caller stays with the bot, which has to know what it waits for.
            self._tell_what_is_done()
        result = await self._transfer(destination)
        self._under_way = False
        if result.succeeded or self._call.closed:
            return
        if self._otherwise is not None:
            self._otherwise()
            return
        if result.outcome == "cancelled":
            return
        text = failure_text(name, result)
        if not self._give_output(text, respond=True):
            self._call.correct(text)

    def _tell_what_is_done(self) -> None:
        if not self._give_output(CALLING, respond=False):
            self._call.tell(CALLING)

    def _give_output(self, text: str, *, respond: bool) -> bool:
        """Give the call that waits its output; False if none waits, or it can't have it."""
        call_id, self._owed_to = self._owed_to, ""
        return bool(call_id) and self._call.answer_tool(call_id, text, respond=respond)

    def _answer(self, call: ToolCallRequested, text: str) -> None:
        self._call.answer_tool(call.call_id, text)
