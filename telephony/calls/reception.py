"""The reception: who is let in or out, which rule takes a call, and what is running now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from telephony.base.interfaces import Leg
from telephony.calls import cause
from telephony.calls.call import Call
from telephony.calls.cause import Ending
from telephony.calls.services import CallServices
from telephony.calls.verbs import VERBS
from telephony.dialplan import CallFacts, Dialplan

log = structlog.get_logger()

ReportCall = Callable[[Call], None]
"""Is given every finished call, to write its CDR and count it."""


class Reception:
    """Admits inbound legs and runs each admitted one as a :class:`Call`.

    Calls that are placed (:class:`telephony.calls.outbound.Originator`) run here as well, and
    count towards ``max_calls``.

    Enter it as an async context; leaving ends the calls that are left.
    """

    def __init__(
        self,
        dialplan: Dialplan,
        services: CallServices,
        *,
        max_calls: int,
        context: str = "main",
        report: ReportCall,
    ) -> None:
        self._dialplan = dialplan
        self._services = services
        self._max_calls = max_calls
        self._context = context
        self._report = report
        self._calls: dict[str, Call] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._none_left = asyncio.Event()
        self._none_left.set()
        self.draining = False

    @property
    def active_calls(self) -> int:
        return len(self._calls)

    async def __aenter__(self) -> Reception:
        self._tasks = await asyncio.TaskGroup().__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.draining = True
        self._end_all(cause.DRAIN_DEADLINE)
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            await tasks.__aexit__(None, None, None)

    async def drain(self, deadline_s: float) -> bool:
        """Take no new calls and wait for the present ones; False when the deadline ended some."""
        self.draining = True
        try:
            async with asyncio.timeout(deadline_s):
                await self._none_left.wait()
        except TimeoutError:
            self._end_all(cause.DRAIN_DEADLINE)
            await self._none_left.wait()
            return False
        return True

    def _end_all(self, ending: Ending) -> None:
        for call in list(self._calls.values()):
            call.end(ending)

    def incoming(self, leg: Leg, refusal: Ending | None = None) -> None:
        """Take a new leg; refused ones get their status at once.

        ``refusal`` is the reason of somebody else to refuse it, such as a limit of its trunk.
        """
        self.admit(Call(self._services.ids.token(6), leg, self._services), refusal)

    def admit(self, call: Call, refusal: Ending | None = None) -> None:
        """Take a new call; a refused one is told so at once."""
        self._services.metrics.call_started()
        try:
            self._admit(call, refusal)
        except Exception as error:
            # The boundary of a call: a caller who meets a fault of ours is told so.
            call.fail(error)
            self._calls.pop(call.call_id, None)
            call.refuse(cause.INTERNAL_ERROR)
            self._finished(call)

    def _admit(self, call: Call, refusal: Ending | None) -> None:
        refusal = refusal or self.refusal() or self._find_route(call)
        facts = call.leg.facts
        # A call whose SIP ends elsewhere has no address here.
        source = {"source": facts.source_ip} if facts.source_ip else {}
        call.log.info(
            "call.received",
            caller=facts.caller,
            called=facts.called,
            **source,
            transport=facts.transport,
            trunk=facts.trunk or None,
            rule=call.route.extension if call.route else None,
        )
        if refusal is None:
            call.leg.listen(call)
            self._start(call)
        else:
            call.refuse(refusal)
            self._finished(call)

    def place(self, call: Call) -> None:
        """Run a call that is placed; :meth:`refusal` has been asked before."""
        facts = call.facts
        self._services.metrics.call_started()
        call.log.info(
            "call.placed", caller=facts.caller, called=facts.called, agent=call.agent_name
        )
        self._start(call)

    def _find_route(self, call: Call) -> Ending | None:
        facts = call.leg.facts
        call.route = self._dialplan.route(
            CallFacts(
                called=facts.called,
                caller=facts.caller,
                source_ip=facts.source_ip,
                trunk=facts.trunk,
                headers=facts.headers,
                diverted_from=facts.diverted_from,
                attestation=facts.attestation,
            ),
            self._context,
        )
        return cause.NO_ROUTE if call.route is None else None

    def refusal(self) -> Ending | None:
        """Return why no call is taken at the moment, or None."""
        if self.draining or self._tasks is None:
            return cause.DRAINING
        if len(self._calls) >= self._max_calls:
            return cause.NO_CAPACITY
        return None

    def _start(self, call: Call) -> None:
        assert self._tasks is not None
        self._calls[call.call_id] = call
        self._none_left.clear()
        self._tasks.create_task(self._run(call), name=f"call-{call.call_id}")

    async def _run(self, call: Call) -> None:
        try:
            await call.run(VERBS)
        except Exception as error:
            # The boundary of a call: whatever went wrong in this one, the others go on.
            call.fail(error)
        finally:
            self._calls.pop(call.call_id, None)
            if not self._calls:
                self._none_left.set()
            self._finished(call)

    def _finished(self, call: Call) -> None:
        ending = call.ending or cause.INTERNAL_ERROR
        # How long people let it ring says nothing about our setup.
        setup_s = call.setup_s if call.direction == "inbound" else None
        self._services.metrics.call_finished(call.result, ending.cause, setup_s)
        try:
            self._report(call)
        except Exception:
            log.exception("cdr.failed", call=call.call_id)
