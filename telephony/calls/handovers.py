"""Carries out ``handoff`` and ``switch_language``, once the announcement of it was heard."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from telephony.calls.agent import Agent
from telephony.calls.farewell import Farewell
from telephony.calls.handoff import HandOff
from telephony.calls.handoff_tool import (
    ANNOUNCEMENT,
    FAILED,
    HANDED_OVER,
    LANGUAGE_ANNOUNCEMENT,
    SWITCHED,
    chosen_handoff,
    chosen_language,
    no_such,
)
from telephony.realtime.events import ToolCallRequested


class HandsOver(Protocol):
    """The conversation, as far as handoffs know it."""

    def answer_tool(self, call_id: str, output: str, *, respond: bool) -> None: ...

    def correct(self, text: str) -> None:
        """Tell the model a fact and ask it to speak."""

    @property
    def hand_off(self) -> HandOff: ...


class Handovers:
    """The handoffs of one call."""

    def __init__(self, farewell: Farewell, call: HandsOver, log: Any) -> None:
        self._farewell = farewell
        self._call = call
        self._log = log

    def requested(self, call: ToolCallRequested, agent: Agent, *, interrupted: bool) -> None:
        """The model called ``handoff``, in a response that is over now."""
        name = chosen_handoff(call.arguments, agent.handoffs)
        if name is None:
            text = no_such("colleague", agent.handoffs)
            self._call.answer_tool(call.call_id, text, respond=True)
            return
        self._log.info("handoff.requested", to=name)
        text = HANDED_OVER.format(name=name)
        depart = partial(self._depart, call, agent.handoffs[name].agent, "", text)
        self._farewell.requested(call, ANNOUNCEMENT, depart, interrupted=interrupted)

    def language_requested(
        self, call: ToolCallRequested, agent: Agent, *, interrupted: bool
    ) -> None:
        """The model called ``switch_language``, in a response that is over now."""
        tag = chosen_language(call.arguments, agent.languages)
        if tag is None:
            text = no_such("language", agent.languages)
            self._call.answer_tool(call.call_id, text, respond=True)
        elif tag == agent.language:
            text = f"The conversation is in {tag} already."
            self._call.answer_tool(call.call_id, text, respond=True)
        else:
            self._log.info("language.requested", language=tag)
            depart = partial(self._depart, call, agent.name, tag, SWITCHED.format(name=tag))
            wish = LANGUAGE_ANNOUNCEMENT
            self._farewell.requested(call, wish, depart, interrupted=interrupted)

    def _depart(
        self, call: ToolCallRequested, agent_name: str, language: str, text: str, answered: bool
    ) -> None:
        """Hand over; ``answered``: the call of the tool has its output already."""
        if not answered:
            # Before the session changes: the history that goes along has call and output.
            self._call.answer_tool(call.call_id, text, respond=False)
        if not self._call.hand_off(agent_name, language):
            self._log.warning("handoff.failed")
            self._call.correct(FAILED)
