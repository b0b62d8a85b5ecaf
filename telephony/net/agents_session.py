"""A session of the OpenAI Agents SDK as a connection to a model.

The SDK opens the WebSocket and acts on what comes: it runs the tools of the user's agents, hands
over between them and checks their words. We listen before it does, so that a caller who barges in
is obeyed first; what the caller heard until then the SDK is told by our playout.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from agents import FunctionTool
from agents.realtime import (
    RealtimeAgent,
    RealtimeModelListener,
    RealtimePlaybackTracker,
    RealtimeRunConfig,
    RealtimeRunner,
    RealtimeSession,
)
from agents.realtime.model import RealtimeModelConfig, RealtimePlaybackState
from agents.realtime.model_events import RealtimeModelEvent
from agents.realtime.model_inputs import RealtimeModelSendRawMessage
from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel

from telephony.audio.format import AudioFormat
from telephony.base.interfaces import ModelUnavailable
from telephony.net.model_handshake import is_account_status
from telephony.realtime.agents_realtime import (
    AgentsConfig,
    AgentsRealtime,
    AgentTookOver,
    AudioCut,
    ToolOutput,
    model_settings,
)
from telephony.realtime.dialect import Brief
from telephony.realtime.function_tool import FunctionTool as ToolDefinition
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.wire import JsonObject, parse_object, text_of

MAX_WAITING_AUDIO = 50
"""Appends that wait while the network takes no more; beyond it the oldest are dropped."""
TOOL_LIMIT_S = 120.0
CLOSE_LIMIT_S = 3.0
_ABNORMAL_CLOSURE = 1006

# It tells of every event that it does not know, with the caller's words in it.
logging.getLogger("openai.agents").setLevel(logging.ERROR)

OnMessage = Callable[[Any], None]
OnClosed = Callable[[int, str], None]


class PlayoutTracker(RealtimePlaybackTracker):
    """Tells the SDK what the caller has heard at the moment it asks, to the RTP frame."""

    def __init__(self, brief: Brief) -> None:
        super().__init__()
        self._brief = brief

    def get_state(self) -> RealtimePlaybackState:
        item_id, played_ms = self._brief.playing() or (None, None)
        return {
            "current_item_id": item_id,
            "current_item_content_index": None if item_id is None else 0,
            "elapsed_ms": played_ms,
        }


class AgentsSession(RealtimeModelListener):
    """One connection; make it with :func:`open_agents_session`."""

    def __init__(self, dialect: AgentsRealtime, on_message: OnMessage, on_closed: OnClosed) -> None:
        self._on_message = on_message
        self._on_closed: OnClosed | None = on_closed
        self._brief = dialect.brief
        self._early: list[Any] | None = []
        self._outputs: dict[str, asyncio.Future[str]] = {}
        self._cut: set[str] = set()
        self._control: deque[JsonObject] = deque()
        self._audio: deque[bytes] = deque()
        self._wanted = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: RealtimeSession | None = None
        self.audio_dropped = 0

    async def open(
        self, agent: RealtimeAgent[ToolContext], dialect: AgentsRealtime, url: str, api_key: str
    ) -> None:
        """Let the SDK connect; raises ModelUnavailable."""
        model = OpenAIRealtimeWebSocketModel()
        model.add_listener(self)
        config = dialect.config
        runner = RealtimeRunner(
            equipped(agent, self._brief.tools, self._run_tool),
            model=model,
            config=run_config(config, dialect.audio_format),
        )
        model_config: RealtimeModelConfig = {
            "url": url,
            "headers": dialect.request_headers(api_key),
            "playback_tracker": PlayoutTracker(self._brief),
        }
        self._session = await runner.run(context=self._brief.context, model_config=model_config)
        try:
            await self._session.enter()
        except Exception as error:
            # Whatever library is beneath: the model could not be had.
            status = _status_of(error)
            raise ModelUnavailable(
                str(error) or type(error).__name__,
                fatal=status in (400, 401, 402, 403, 404),
                of_account=is_account_status(status),
            ) from None
        self._start(self._deliver_events(self._session))
        self._start(self._send_waiting(self._session))
        asyncio.get_running_loop().call_soon(self._deliver_early)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # From the model

    async def on_event(self, event: RealtimeModelEvent) -> None:
        """Take what the SDK's model reports, before its session does."""
        if event.type == "raw_server_event":
            self._receive(event.data)
        elif event.type == "audio_interrupted":
            self._cut.add(event.item_id)
            self._receive(AudioCut(event.item_id))
        elif event.type == "exception":
            # The SDK's session ends with it, whatever it was.
            self._closed(f"{event.context}: {event.exception}")
        elif event.type == "end_of_stream":
            self._closed("the connection ended")

    def _receive(self, message: Any) -> None:
        if self._early is not None:
            self._early.append(message)
        elif self._on_closed is not None:
            self._on_message(message)

    def _deliver_early(self) -> None:
        """Pass on what came before the other end was ready to take it."""
        early, self._early = self._early or [], None
        for message in early:
            self._receive(message)

    async def _deliver_events(self, session: RealtimeSession) -> None:
        """Read what the SDK's session reports, so that its queue stays empty."""
        try:
            async for event in session:
                if event.type == "handoff":
                    self._receive(AgentTookOver(event.to_agent.name))
                elif event.type == "tool_approval_required":
                    await session.reject_tool_call(event.call_id)
        except Exception as error:
            # Raised by the user's agents or by the SDK: the call goes on with another session.
            self._closed(f"{type(error).__name__}: {error}")
            return
        self._closed("the session ended")

    def _closed(self, reason: str) -> None:
        on_closed, self._on_closed = self._on_closed, None
        if on_closed is not None:
            on_closed(_ABNORMAL_CLOSURE, reason)

    # To the model

    def send(self, message: bytes | ToolOutput) -> None:
        """Send a control message of OpenAI Realtime, unless the SDK sends it itself."""
        if isinstance(message, ToolOutput):
            waiting = self._output_of(message.call_id)
            if not waiting.done():
                waiting.set_result(message.output)
            return
        parsed = parse_object(message) or {}
        kind = text_of(parsed, "type")
        cut = kind == "conversation.item.truncate" and text_of(parsed, "item_id") in self._cut
        if kind != "session.update" and not cut:
            self._control.append(parsed)
            self._wanted.set()

    def send_audio(self, message: bytes) -> bool:
        """Send audio in the session's format; False when older audio was dropped for it."""
        dropped = len(self._audio) >= MAX_WAITING_AUDIO
        if dropped:
            self._audio.popleft()
            self.audio_dropped += 1
        self._audio.append(message)
        self._wanted.set()
        return not dropped

    async def _send_waiting(self, session: RealtimeSession) -> None:
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                while self._control or self._audio:
                    if self._control:
                        fields = self._control.popleft()
                        raw = {"type": fields.pop("type"), "other_data": fields}
                        await session.model.send_event(RealtimeModelSendRawMessage(raw))  # type: ignore[arg-type]
                    else:
                        await session.send_audio(self._audio.popleft())
        except Exception as error:
            self._closed(f"{type(error).__name__}: {error}")

    async def _run_tool(self, call_id: str) -> str:
        """Wait for the output of one of our tools, which our own side runs."""
        try:
            async with asyncio.timeout(TOOL_LIMIT_S):
                return await self._output_of(call_id)
        except TimeoutError:
            return '{"error": "the tool did not finish"}'
        finally:
            self._outputs.pop(call_id, None)

    def _output_of(self, call_id: str) -> asyncio.Future[str]:
        """Return the future of an output; it may be there before the SDK waits for it."""
        if call_id not in self._outputs:
            self._outputs[call_id] = asyncio.get_running_loop().create_future()
        return self._outputs[call_id]

    async def close(self, code: int = 1000) -> None:
        """End the session; the SDK's own cleaning up is given a moment."""
        self._on_closed = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            # One that can't even end is of no interest.
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_LIMIT_S):
                    await self._session.close()


async def open_agents_session(
    agent: RealtimeAgent[ToolContext],
    dialect: AgentsRealtime,
    url: str,
    api_key: str,
    on_message: OnMessage,
    on_closed: OnClosed,
) -> AgentsSession:
    """Begin a session of ``agent``, or of the one that it handed over to; raises ModelUnavailable.

    ``on_message`` gets what the dialect takes, and no sooner than in the loop's next turn.
    """
    connection = AgentsSession(dialect, on_message, on_closed)
    try:
        await connection.open(agent_named(dialect.agent_name, agent), dialect, url, api_key)
    except BaseException:
        await connection.close()
        raise
    return connection


def run_config(config: AgentsConfig, audio_format: AudioFormat) -> RealtimeRunConfig:
    """Return the settings of a run."""
    settings: Any = model_settings(config, audio_format)
    return {
        "model_settings": settings,
        "guardrails_settings": {"debounce_text_length": config.guardrail_debounce_characters},
        "tracing_disabled": config.tracing is None,
    }


def equipped(
    agent: RealtimeAgent[ToolContext],
    tools: tuple[ToolDefinition, ...],
    run: Callable[[str], Coroutine[Any, Any, str]],
) -> RealtimeAgent[ToolContext]:
    """Return a copy of an agent, and of those it hands over to, that has our tools as well."""
    ours: list[Any] = [_sdk_tool(tool, run) for tool in tools]
    copies: dict[int, RealtimeAgent[ToolContext]] = {}

    def copy(original: RealtimeAgent[ToolContext]) -> RealtimeAgent[ToolContext]:
        known = copies.get(id(original))
        if known is not None:
            return known
        own = {getattr(tool, "name", "") for tool in original.tools}
        added = [tool for tool in ours if tool.name not in own]
        made = copies[id(original)] = original.clone(tools=[*original.tools, *added])
        made.handoffs = [
            copy(target) if isinstance(target, RealtimeAgent) else target
            for target in original.handoffs
        ]
        return made

    return copy(agent)


def _sdk_tool(tool: ToolDefinition, run: Callable[[str], Coroutine[Any, Any, str]]) -> FunctionTool:
    async def invoke(context: Any, arguments: str) -> str:
        return await run(context.tool_call_id)

    return FunctionTool(
        name=tool.name,
        description=tool.description,
        params_json_schema=tool.parameters,
        on_invoke_tool=invoke,
        strict_json_schema=False,
    )


def agent_named(name: str, first: RealtimeAgent[ToolContext]) -> RealtimeAgent[ToolContext]:
    """Return the agent of that name among those that can be reached from ``first``, else it."""
    seen: set[int] = set()
    waiting = [first]
    while waiting:
        agent = waiting.pop()
        if agent.name == name:
            return agent
        if id(agent) not in seen:
            seen.add(id(agent))
            waiting += [other for other in agent.handoffs if isinstance(other, RealtimeAgent)]
    return first


def _status_of(error: Exception) -> int:
    """Return the HTTP status of a handshake that was refused, or 0."""
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return status if isinstance(status, int) else 0
