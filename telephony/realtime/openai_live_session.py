"""What both directions of one OpenAI Live session share: state, events out, messages out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.countdown import Countdown
from telephony.realtime.events import ModelEvent
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.history import History, HistoryItem
from telephony.realtime.openai_live_config import LiveConfig, ResponsesDelegation
from telephony.realtime.openai_live_context import input_messages, pieces
from telephony.realtime.stats import RealtimeStats
from telephony.realtime.tool_calls import ToolCalls
from telephony.realtime.wire import encode_object

_MAX_PENDING = 64

AppendKind: TypeAlias = Literal["commentary", "thinking", "instructions"]
"""What may be said of it, what is only to be known, what is to be obeyed from here on."""


@dataclass(slots=True)
class Append:
    """Context that waits to be sent. ``request``: it only asks the model to speak.

    ``call_id``: it is the output of this call, which the history holds as well.
    """

    kind: AppendKind
    content: str
    delegation_id: str | None = None
    request: bool = False
    call_id: str = ""


class LiveSession:
    """State of the conversation; used by the commands and by the readers of server events."""

    def __init__(
        self,
        config: LiveConfig,
        ids: Ids,
        audio_format: AudioFormat,
        instructions: str,
        tools: tuple[FunctionTool, ...],
        history: Iterable[HistoryItem] = (),
        wall_clock: Callable[[], float] | None = None,
    ) -> None:
        self.config = config
        self.ids = ids
        self.asked_format = audio_format
        self.audio_format = audio_format
        self.instructions = instructions
        self.tools = tools
        self.wall_clock = wall_clock
        self.stats = RealtimeStats()
        self.events: list[ModelEvent] = []
        self.outbox: list[bytes] = []
        self.history = History(history)
        self.calls = ToolCalls()
        for call_id in self.history.unanswered_calls():
            self.calls.adopt(call_id)
        self.begun = False
        """True from ``session.start`` on: what is said before is part of that message."""
        self.ready = False
        self.number = 0
        """Counts the sessions: ids of an earlier one mean nothing to this one."""
        self.fixture_id = ""
        """The event id of the fixture that plays; appends are refused meanwhile."""
        self.pending: deque[Append] = deque()
        self.ready_timer = Countdown()
        self.expiry_timer = Countdown()

    @property
    def has_backend(self) -> bool:
        """Whether delegated work is done at the provider, with our tools as its own."""
        return isinstance(self.config.delegation, ResponsesDelegation)

    def token(self, prefix: str) -> str:
        return f"{prefix}_{self.ids.token(8)}"

    def send(self, kind: str, **fields: Any) -> str:
        """Queue a control message; returns the event id by which errors refer to it."""
        event_id = self.token("event")
        self.outbox.append(encode_object({"type": kind, "event_id": event_id, **fields}))
        return event_id

    def begin(self) -> None:
        """Open a session on a new connection: nothing else may be sent before it has started."""
        self.end()
        self.number += 1
        self.begun = True
        self.audio_format = self.asked_format
        tools = [tool.model_dump() for tool in self.tools] if self.has_backend else []
        told_later = {append.call_id for append in self.pending if append.call_id}
        items = self.history.replayable(self.calls.open_calls)
        for item in items:
            item.replayed = True
        before = input_messages(items, told_later)
        wire = self.config.to_session(self.asked_format, self.instructions, tools, before)
        self.send("session.start", session=wire)

    def end(self) -> None:
        """The session is no more; delegations of it can't be answered as such."""
        self.outbox.clear()
        self.begun = self.ready = False
        self.fixture_id = ""
        self.ready_timer.stop()
        self.expiry_timer.stop()
        for append in self.pending:
            append.delegation_id = None

    def append(
        self,
        kind: AppendKind,
        text: str,
        delegation_id: str | None = None,
        *,
        request: bool = False,
        call_id: str = "",
    ) -> None:
        """Tell the model something, in as many pieces as it takes, as soon as it may be told."""
        for piece in pieces(text):
            self.pending.append(Append(kind, piece, delegation_id, request, call_id))
            if len(self.pending) > _MAX_PENDING:
                self.pending.popleft()
                self.stats.appends_dropped += 1
        self.send_pending()

    def send_pending(self) -> None:
        """Send what waited for the session, or for the end of a fixture."""
        while self.pending and self.ready and not self.fixture_id:
            append = self.pending.popleft()
            self.send(
                f"session.{append.kind}.append",
                content=append.content,
                delegation_id=append.delegation_id,
            )

    def withdraw_requests(self) -> bool:
        """Forget requests to speak that were not sent; returns whether there was one."""
        kept = [append for append in self.pending if not append.request]
        withdrew = len(kept) < len(self.pending)
        self.pending = deque(kept)
        return withdrew

    def note(self, role: Literal["user", "system"], text: str) -> None:
        """Put a fact into the history."""
        item = HistoryItem(self.token("item"), "message", role)
        item.replace_text(text)
        self.history.place(item)
