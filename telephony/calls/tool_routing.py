"""Who carries out what the model of a call asks for: one of our own tools each, or the agent's."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from telephony.base.errors import LocalProtocolError
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.built_in_tools import (
    hands_off,
    hangs_up,
    recording_tools,
    sends_digits,
    switches_language,
    transfers,
)
from telephony.calls.call_tasks import CallTasks
from telephony.calls.cause import Ending
from telephony.calls.digits_tool import SEND_DIGITS, PressKeys, outcome_text, wanted_keys
from telephony.calls.farewell import Farewell, Heard
from telephony.calls.goodbye import GOODBYE, HANGUP
from telephony.calls.handoff_tool import HANDOFF, SWITCH_LANGUAGE
from telephony.calls.handovers import HandedOver, Handovers
from telephony.calls.recording_tool import Pausable, run_recording_tool
from telephony.calls.services import ConversationServices
from telephony.calls.tool_desk import ModelSide, ToolDesk
from telephony.calls.transfer_requests import (
    TransferCaller,
    TransferRequests,
    TransferringCall,
)
from telephony.calls.transfer_tool import TRANSFER
from telephony.realtime.events import ResponseFinished, ToolCallRequested
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import error_output


@dataclass(frozen=True, slots=True)
class CallPowers:
    """What a model may do with the call itself."""

    transfer: TransferCaller
    give_up_transfer: Callable[[], bool]
    press_keys: PressKeys
    recording: Pausable


class AskingConversation(HandedOver, TransferringCall, ModelSide, Protocol):
    """The conversation, as far as its tools know it."""

    def end(self, ending: Ending) -> None: ...


class ToolRouting:
    """Takes the calls of tools, response by response.

    Who leaves the model (``hangup``, ``transfer``, ``handoff``) waits for its farewell; every call
    gets one output, unless the model no longer wants it.
    """

    def __init__(
        self,
        conversation: AskingConversation,
        bridge: Heard,
        powers: CallPowers,
        tasks: CallTasks,
        services: ConversationServices,
        log: Any,
        context: ToolContext,
    ) -> None:
        self.farewell = Farewell(bridge)
        self._conversation = conversation
        self._powers = powers
        self._tasks = tasks
        self._log = log
        limits = conversation.agent.tool_limits
        self._desk = ToolDesk(conversation, tasks, services, log, context, limits)
        self._handovers = Handovers(self.farewell, conversation, tasks, log)
        self._transfers = TransferRequests(
            self.farewell, conversation, powers.transfer, powers.give_up_transfer, tasks, log
        )

    def adopt(self, agent: Agent) -> None:
        """Keep to the bounds of another agent from now on; what was counted stays counted."""
        self._desk.adopt(agent.tool_limits)
        self.model_changed()

    def model_changed(self) -> None:
        """There is another session, perhaps with another model."""
        self._desk.model_changed()

    def know(self, context: ToolContext) -> None:
        """Tell tools this from now on."""
        self._desk.context = context

    def caller_turn_ended(self, *, by_model: bool) -> None:
        self._desk.caller_turn_ended(by_model=by_model)

    def cancelled(self, call_ids: Collection[str]) -> None:
        """The model no longer wants the outputs of these calls."""
        self._desk.cancelled(call_ids)
        self.farewell.cancelled(call_ids)
        self._transfers.cancelled(call_ids)

    def send_away(self, destination: str, otherwise: Callable[[], None]) -> None:
        """Transfer the caller without asking the model; ``otherwise`` follows a failure."""
        self._transfers.send_away(destination, otherwise)

    def response_finished(self, event: ResponseFinished, *, interrupted: bool) -> None:
        """Take the calls of a response that is over; the caller may have ``interrupted`` it."""
        self._desk.response_finished(event.response_id, calls_tools=bool(event.tool_calls))
        for call in event.tool_calls:
            self._take(call, interrupted=interrupted)
        self._desk.all_requested()
        self.farewell.response_finished(event)

    def _take(self, call: ToolCallRequested, *, interrupted: bool) -> None:
        agent = self._conversation.agent
        if call.name == HANGUP and hangs_up(agent):
            self._log.info("hangup.requested")
            self.farewell.requested(call, GOODBYE, self._hang_up, interrupted=interrupted)
        elif not self._desk.admits(call, essential=call.name in (TRANSFER, HANDOFF)):
            return
        elif call.name == TRANSFER and transfers(agent):
            self._transfers.requested(call, interrupted=interrupted)
        elif call.name == SEND_DIGITS and sends_digits(agent):
            self._tasks.start(self._send_digits, call)
        elif call.name in recording_tools(agent):
            output = run_recording_tool(call.name, self._powers.recording)
            self._conversation.answer_tool(call.call_id, output)
        elif call.name == HANDOFF and hands_off(agent):
            self._handovers.requested(call, interrupted=interrupted)
        elif call.name == SWITCH_LANGUAGE and switches_language(agent):
            self._handovers.language_requested(call, interrupted=interrupted)
        else:
            self._desk.requested(call)

    def _hang_up(self, answered: bool) -> None:
        self._conversation.end(cause.BOT_HUNG_UP)

    async def _send_digits(self, call: ToolCallRequested) -> None:
        """Press the keys that the model asked for; what they are may be a secret."""
        try:
            keys = wanted_keys(call.arguments)
            outcome = await self._powers.press_keys(keys)
        except (ValueError, LocalProtocolError) as error:
            self._log.info("digits.refused")
            self._conversation.answer_tool(call.call_id, error_output(str(error)))
            return
        self._log.info("digits.sent", count=len(outcome.digits), way=outcome.way)
        if outcome.failure:
            self._log.warning("digits.failed", reason=outcome.failure)
        self._conversation.answer_tool(call.call_id, outcome_text(outcome))
