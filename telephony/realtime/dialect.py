"""What the call layer asks of every realtime model, whatever it speaks on the wire.

A :class:`RealtimeModel` is what an agent's file configures. Each session with it is a
:class:`Dialect`: a core without I/O that turns the model's messages into the events of
:mod:`telephony.realtime.events`, and our commands into its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.events import ModelEvent
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.history import HistoryItem
from telephony.realtime.stats import RealtimeStats
from telephony.realtime.tool_schema import NO_CONTEXT, ToolContext
from telephony.realtime.traits import Traits

ModelFormat = Literal["auto", "pcm16", "g711"]
"""Which audio to ask of a model: G.711 where line and model both take it, or never, or always."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What a session is given at its start, besides the settings of its model.

    ``history`` is the conversation so far (see :func:`telephony.realtime.history.carried_over`);
    a function call in it without an output is still running, and its output is to come.
    ``playing`` tells which item the caller hears at that moment, and how much of it, in ms.
    ``hears_caller`` tells whether a voice that is heard at that moment is the caller's, and not the
    echo of what is playing; asked while audio is appended, it means that audio.
    """

    instructions: str = ""
    tools: tuple[FunctionTool, ...] = ()
    history: tuple[HistoryItem, ...] = ()
    context: ToolContext = NO_CONTEXT
    playing: Callable[[], tuple[str, float] | None] = lambda: None
    hears_caller: Callable[[], bool] = lambda: True


class Dialect(Protocol):
    """One conversation with a model, over one connection after another.

    A connection: :meth:`connection_made`, then :meth:`receive_message` for each message until
    :meth:`connection_lost`. Audio may be appended once ``SessionReady`` was reported. Any other
    command may be given at any time; while there is no session it changes the history, which the
    next session is given first. A command that the model has no word for does as much of its
    purpose as can be done here, and never raises for that.

    Drain :meth:`messages_to_send` and :meth:`events_received`, and ask :meth:`next_timer`, after
    every call of any other method but :meth:`append_message`.
    """

    # Where and how to connect

    def url(self, base_url: str) -> str:
        """Return the URL under a base; raises ValueError for a base that is no such URL."""

    def request_headers(self, api_key: str) -> dict[str, str]:
        """Return the handshake's headers; without a key (a local server) no authorization."""

    # The connection

    def connection_made(self, now: float) -> None:
        """A connection is open: configure the session."""

    def connection_lost(self, now: float) -> None:
        """The connection is gone: whatever was being generated ends here."""

    def receive_message(self, message: Any, now: float) -> None:
        """Take one message of the model; nothing in it raises."""

    # Output

    def events_received(self) -> list[ModelEvent]:
        """Return and forget the events since the last call."""

    def messages_to_send(self) -> list[Any]:
        """Return and forget the control messages to send, in order; none may be dropped."""

    def next_timer(self) -> float | None:
        """Return when :meth:`handle_timer` is due; 0.0 means now, None never."""

    def handle_timer(self, now: float) -> None: ...

    # State

    @property
    def traits(self) -> Traits: ...

    @property
    def stats(self) -> RealtimeStats: ...

    @property
    def ready(self) -> bool:
        """Whether audio may be appended."""

    @property
    def input_format(self) -> AudioFormat:
        """The format in which to append audio."""

    @property
    def output_format(self) -> AudioFormat:
        """The format of the audio deltas reported last."""

    @property
    def active_response_id(self) -> str:
        """The response that is being generated into the conversation, or ""."""

    @property
    def history(self) -> tuple[HistoryItem, ...]:
        """The conversation so far, in order."""

    # Commands

    def append_message(self, audio: bytes) -> Any:
        """Return the message that appends ``audio``; it is not queued: send it, or drop it."""

    def commit_input(self) -> None:
        """End the caller's turn; only given to a model that detects no turns."""

    def create_response(
        self,
        instructions: str | None = None,
        *,
        tool_choice: str | None = None,
        out_of_band: bool = False,
    ) -> None:
        """Ask the model to speak; waits for the end of a response that is active.

        ``instructions`` say what for. ``out_of_band`` ones leave no trace in the conversation.
        """

    def cancel_response(self, response_id: str | None = None) -> None:
        """Stop generation of this response, or of the one active or asked for."""

    def withdraw_response(self) -> bool:
        """Forget a :meth:`create_response` that still waits; returns whether one did."""

    def fence(self, response_id: str) -> None:
        """Drop whatever else comes of this response."""

    def truncate_item(self, item_id: str, audio_end_ms: int) -> None:
        """Make the model believe that it was cut off at ``audio_end_ms`` of this item."""

    def delete_item(self, item_id: str) -> None:
        """Make the model forget an item of which nothing was heard."""

    def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None:
        """Return the output of a function call, once.

        After the last output of a response's calls the model goes on, unless none of them asked
        for that. Raises LocalProtocolError for a call that has its output already.
        """

    def answer_approval(self, approval_id: str, approve: bool, reason: str = "") -> None:
        """Answer an ``ApprovalRequested``."""

    def add_user_text(self, text: str) -> None:
        """Add words of the caller that did not come as audio, such as digits pressed."""

    def add_items(self, items: Iterable[HistoryItem]) -> None:
        """Take in a part of the conversation that came about in another session, in order."""

    def add_system_text(self, text: str) -> None:
        """Tell the model a fact in the course of the conversation."""


class TurnMarking(Protocol):
    """A dialect whose traits say ``marks_turns`` can be told this too."""

    def begin_input(self) -> None:
        """The caller begins to speak; :meth:`Dialect.commit_input` ends that turn."""


class Resuming(Protocol):
    """A dialect whose traits say ``resumes`` tells this too."""

    @property
    def resuming(self) -> bool:
        """Whether the connection asked for an earlier session, which has not been granted yet.

        When that is refused the next connection asks for a new one.
        """


class RealtimeModel(Protocol):
    """A model with its settings; makes the sessions of calls."""

    @property
    def api(self) -> str:
        """The name of the API, as an agent's file and the metrics have it."""

    @property
    def model(self) -> str:
        """The provider's name of the model."""

    @property
    def traits(self) -> Traits: ...

    def new_dialect(self, brief: Brief, line: AudioFormat, wish: ModelFormat, ids: Ids) -> Dialect:
        """Begin a session for a leg that carries ``line``."""
