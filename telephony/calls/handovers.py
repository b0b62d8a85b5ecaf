"""Carries out ``handoff`` and ``switch_language``, once the announcement of it was heard."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.farewell import Farewell, Wish
from telephony.calls.handoff_tool import (
    ANNOUNCEMENT,
    FAILED,
    LANGUAGE_ANNOUNCEMENT,
    UNDER_WAY,
    chosen_handoff,
    chosen_language,
    no_such,
)
from telephony.realtime.events import ToolCallRequested


class HandedOver(Protocol):
    """The conversation, as far as handoffs know it."""

    @property
    def agent(self) -> Agent:
        """The agent that talks now."""

    def answer_tool(self, call_id: str, output: str, *, respond: bool = True) -> bool:
        """Give a call of a tool its output; False when nobody waits for it any more."""

    def correct(self, text: str) -> None:
        """Tell the model a fact and ask it to speak."""

    async def hand_off(self, name: str, language: str = "") -> bool:
        """Give the caller to an agent, who is asked to speak; False when it can't be had."""


class Handovers:
    """The handoffs of one call that its model asks for."""

    def __init__(self, farewell: Farewell, call: HandedOver, tasks: CallTasks, log: Any) -> None:
        self._farewell = farewell
        self._call = call
        self._tasks = tasks
        self._log = log
        self._under_way = False

    def requested(self, call: ToolCallRequested, *, interrupted: bool) -> None:
        """The model called ``handoff``, in a response that is over now."""
        handoffs = self._call.agent.handoffs
        name = chosen_handoff(call.arguments, handoffs)
        if name is None:
            self._log.info("handoff.refused")
            self._call.answer_tool(call.call_id, no_such("colleague", handoffs))
        else:
            self._log.info("handoff.requested", to=name)
            self._announce(call, ANNOUNCEMENT, handoffs[name].agent, "", interrupted)

    def language_requested(self, call: ToolCallRequested, *, interrupted: bool) -> None:
        """The model called ``switch_language``, in a response that is over now."""
        agent = self._call.agent
        tag = chosen_language(call.arguments, agent.languages)
        if tag is None:
            self._log.info("language.refused")
            self._call.answer_tool(call.call_id, no_such("language", agent.languages))
        elif tag == agent.language:
            self._call.answer_tool(call.call_id, f"The conversation is in {tag} already.")
        else:
            self._log.info("language.requested", language=tag)
            self._announce(call, LANGUAGE_ANNOUNCEMENT, agent.name, tag, interrupted)

    def _announce(
        self, call: ToolCallRequested, wish: Wish, name: str, language: str, interrupted: bool
    ) -> None:
        if self._under_way:
            self._call.answer_tool(call.call_id, UNDER_WAY, respond=False)
            return
        depart = partial(self._depart, call, name, language)
        self._farewell.requested(call, wish, depart, interrupted=interrupted)

    def _depart(self, call: ToolCallRequested, name: str, language: str, answered: bool) -> None:
        """Hand over; ``answered``: the call of the tool has its output already."""
        if not answered:
            # Before the session changes: the history that goes along has call and output.
            self._call.answer_tool(call.call_id, UNDER_WAY, respond=False)
        self._under_way = True
        self._tasks.start(self._run, name, language)

    async def _run(self, name: str, language: str) -> None:
        handed_over = await self._call.hand_off(name, language)
        self._under_way = False
        if not handed_over:
            self._log.warning("handoff.failed")
            self._call.correct(FAILED)
