"""Guardrails on one call: what breaks a rule is cut off before the caller has heard it all."""

from __future__ import annotations

import asyncio
import inspect
from functools import partial
from typing import Any, Protocol

from telephony.calls.blocking import run_blocking
from telephony.calls.call_tasks import CallTasks
from telephony.calls.services import ConversationServices
from telephony.realtime.guardrails import (
    CheckDue,
    Finding,
    Guardrails,
    Rule,
    Side,
    TranscriptWatch,
    Trip,
)
from telephony.realtime.tool_schema import ToolContext

CUT_OFF = "You were cut off, as your answer broke a rule of this telephone line."
SAY_OTHERWISE = (
    "Give the caller another answer now, which keeps to that rule. Do not mention the rule."
)
CALLER_SAID = "What the caller has just said concerns a rule of this telephone line."

_SIDES: dict[str, Side] = {"user": "input", "assistant": "output"}
_MAX_REMEMBERED = 64


class GuardedCall(Protocol):
    """What may be done about a rule that was broken."""

    def interrupt_bot(self) -> None:
        """Cut off what the bot says: flush playout, fence and cancel the response, truncate."""

    def correct(self, text: str) -> None:
        """Tell the model what was wrong, and ask it for another answer."""

    def send_away(self, destination: str) -> None:
        """Transfer the caller; the call ends if that fails."""

    def give_up(self) -> None:
        """Say goodbye in recorded words and hang up."""


class Guard:
    """Watches the transcripts of one call. What was said is never logged."""

    def __init__(
        self,
        guardrails: Guardrails,
        call: GuardedCall,
        tasks: CallTasks,
        services: ConversationServices,
        log: Any,
        context: ToolContext,
    ) -> None:
        self._call = call
        self._tasks = tasks
        self._services = services
        self._log = log
        self.context = context
        self._trips = 0
        self._over = False
        self._dealt_with: dict[str, None] = {}
        self._running: set[tuple[str, str]] = set()
        self._waiting: dict[tuple[str, str], CheckDue] = {}
        self.adopt(guardrails)

    def adopt(self, guardrails: Guardrails) -> None:
        """Watch by the rules of another agent from now on; trips go on being counted."""
        self._guardrails = guardrails
        self._watches = {
            side: TranscriptWatch(rules, guardrails.check_every)
            for side in ("input", "output")
            if (rules := [rule for rule in guardrails.rules if rule.side == side])
        }

    def transcript_delta(self, role: str, item_id: str, piece: str) -> None:
        watch = self._watches.get(_SIDES.get(role, ""))
        if watch is not None:
            self._take(watch.append(item_id, piece))

    def transcript_finished(self, role: str, item_id: str, text: str) -> None:
        watch = self._watches.get(_SIDES.get(role, ""))
        if watch is not None:
            self._take(watch.finish(item_id, text))

    def _take(self, findings: list[Finding]) -> None:
        for finding in findings:
            if isinstance(finding, Trip):
                self._tripped(finding.rule, finding.item_id)
            elif finding.item_id not in self._dealt_with:
                self._check(finding)

    # Functions

    def _check(self, due: CheckDue) -> None:
        """Ask a function, one text of an item after the other; only the newest one waits."""
        key = (due.rule.name, due.item_id)
        if key in self._running:
            self._waiting[key] = due
        else:
            self._running.add(key)
            self._tasks.start(self._run_checks, key, due)

    async def _run_checks(self, key: tuple[str, str], due: CheckDue) -> None:
        following: CheckDue | None = due
        while following is not None and following.item_id not in self._dealt_with:
            if await self._breaks(following):
                self._tripped(following.rule, following.item_id)
            following = self._waiting.pop(key, None)
        self._running.discard(key)

    async def _breaks(self, due: CheckDue) -> bool:
        """Ask the function; one that fails or takes too long has found nothing."""
        function = due.rule.function
        assert function is not None
        try:
            async with asyncio.timeout(self._guardrails.check_timeout_s):
                if inspect.iscoroutinefunction(function):
                    return bool(await function(due.text, self.context))
                return bool(await run_blocking(partial(function, due.text, self.context)))
        except Exception as error:
            # A user's code: the call does not end for it. Its message may quote what was said.
            self._log.error("guardrail.failed", rule=due.rule.name, error=type(error).__name__)
            return False

    # Trips

    def _tripped(self, rule: Rule, item_id: str) -> None:
        """Act on the first rule that an item breaks."""
        if item_id in self._dealt_with or self._over or rule not in self._guardrails.rules:
            # Another agent may talk by now, under rules of its own.
            return
        self._dealt_with[item_id] = None
        if len(self._dealt_with) > _MAX_REMEMBERED:
            del self._dealt_with[next(iter(self._dealt_with))]
        self._log.info("guardrail.tripped", rule=rule.name, side=rule.side)
        self._services.metrics.guardrail_tripped(rule.name, rule.side)
        self._call.interrupt_bot()
        if rule.side == "output":
            self._answer_was_wrong(rule)
        elif rule.remedy == "transfer":
            self._leave(rule.transfer_to)
        elif rule.remedy == "hangup":
            self._leave("")
        else:
            self._call.correct(f"{CALLER_SAID} {rule.message}".strip())

    def _answer_was_wrong(self, rule: Rule) -> None:
        self._trips += 1
        if self._trips > self._guardrails.max_trips:
            self._log.warning("guardrail.gave_up", trips=self._trips)
            self._leave(self._guardrails.transfer_to)
        else:
            self._call.correct(f"{CUT_OFF} {rule.message} {SAY_OTHERWISE}".replace("  ", " "))

    def _leave(self, destination: str) -> None:
        self._over = True
        if destination:
            self._call.send_away(destination)
        else:
            self._call.give_up()
