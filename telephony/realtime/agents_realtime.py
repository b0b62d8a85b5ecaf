"""OpenAI Realtime through the OpenAI Agents SDK: its session runs tools, handoffs and guardrails.

The SDK passes on what the server says, so that this reads it as
:class:`~telephony.realtime.openai_realtime.OpenAIRealtime` does. What the SDK does itself is left
to it: it configures the session, and it runs the tools of the user's agents.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, ModelFormat
from telephony.realtime.events import (
    AgentChanged,
    ModelEvent,
    ModelInterrupted,
    ResponseFinished,
    ToolCallRequested,
)
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_model import audio_format_for
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.session_fields import Name
from telephony.realtime.traits import Traits
from telephony.realtime.wire import JsonObject


class AgentsConfig(SessionConfig):
    """The settings of the session, and whose agents talk in it.

    ``agent`` names a ``RealtimeAgent``, or a function that returns one, as ``package.module:name``.
    ``output_guardrails`` and ``mcp_servers`` are those of the agents.
    """

    agent: Name
    guardrail_debounce_characters: int = 100


@dataclass(frozen=True, slots=True)
class AudioCut:
    """The SDK stopped the agent's speech: a guardrail, or its own idea of a barge-in."""

    item_id: str


@dataclass(frozen=True, slots=True)
class AgentTookOver:
    """A handoff of the SDK."""

    name: str


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What the SDK's session waits for, in the place of a message of its own."""

    call_id: str
    output: str


class AgentsRealtime(OpenAIRealtime):
    """One call's conversation with the agents of a user's own code.

    Messages to send are those of OpenAI Realtime; the other end leaves out what the SDK sends.
    """

    def __init__(
        self, config: AgentsConfig, brief: Brief, ids: Ids, audio_format: AudioFormat
    ) -> None:
        super().__init__(config, ids, audio_format, audio_format, history=brief.history)
        self.config = config
        self.brief = brief
        self.audio_format = audio_format
        self.agent_name = ""
        """The agent that talks now; "" is the one the conversation began with."""
        self._own_tools = frozenset(tool.name for tool in brief.tools)
        self._more_events: list[ModelEvent] = []
        self._outputs: list[ToolOutput] = []

    def receive_message(
        self, message: str | bytes | bytearray | JsonObject | AudioCut | AgentTookOver, now: float
    ) -> None:
        if isinstance(message, AudioCut):
            item = self._session.history.get(message.item_id)
            response_id = item.response_id if item is not None else ""
            self._more_events.append(ModelInterrupted(response_id))
        elif isinstance(message, AgentTookOver):
            self.agent_name = message.name
            self._more_events.append(AgentChanged(message.name))
        else:
            super().receive_message(message, now)

    def events_received(self) -> list[ModelEvent]:
        """Return the events, without the calls of tools that the SDK runs."""
        events = list(self._without_calls_of_agents(super().events_received()))
        if self._more_events:
            events += self._more_events
            self._more_events = []
        return events

    def _without_calls_of_agents(self, events: Iterable[ModelEvent]) -> Iterable[ModelEvent]:
        for event in events:
            if isinstance(event, ToolCallRequested) and event.name not in self._own_tools:
                self._session.calls.settled(event.call_id)
                continue
            if isinstance(event, ResponseFinished) and event.tool_calls:
                ours = tuple(c for c in event.tool_calls if c.name in self._own_tools)
                yield replace(event, tool_calls=ours)
                continue
            yield event

    @staticmethod
    def append_message(audio: bytes) -> bytes:
        """Return the audio itself: the SDK puts it into a message."""
        return audio

    def messages_to_send(self) -> list[Any]:
        outputs, self._outputs = self._outputs, []
        return [*super().messages_to_send(), *outputs]

    def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None:
        """Return the output of one of our tools; the SDK then asks the model to go on."""
        session = self._session
        asked = next((item for item in session.history if item.call_id == call_id), None)
        if asked is None or asked.replayed or not session.ready:
            # The SDK's session that waited for it is gone: the present one is told as of old.
            super().send_tool_output(call_id, output, respond=respond)
            return
        session.calls.answered(call_id, respond=False)
        item = HistoryItem(f"item_{session.ids.token(8)}", "function_call_output", call_id=call_id)
        item.replace_text(output)
        session.history.place(item)
        self._outputs.append(ToolOutput(call_id, output))


@dataclass(frozen=True, slots=True)
class AgentsModel:
    """Makes conversations with one agent of a user's own code."""

    config: AgentsConfig
    api: str = "openai_agents"

    @property
    def model(self) -> str:
        return self.config.model

    @property
    def traits(self) -> Traits:
        return self.config.traits

    def new_dialect(
        self, brief: Brief, line: AudioFormat, wish: ModelFormat, ids: Ids
    ) -> AgentsRealtime:
        return AgentsRealtime(self.config, brief, ids, audio_format_for(line, wish))


def model_settings(config: AgentsConfig, audio_format: AudioFormat) -> dict[str, Any]:
    """Return the ``model_settings`` of a run: the session's without what agents bring along."""
    session = config.to_session_update(audio_format, audio_format)
    for key in ("type", "instructions", "tools"):
        session.pop(key)
    return {"model_name": config.model, **session}
