"""What a hosted call asks of a sideband, whichever API accepted the call."""

from __future__ import annotations

from typing import Protocol

from telephony.realtime.dialect import Brief, RealtimeModel
from telephony.realtime.events import ModelEvent
from telephony.realtime.traits import Traits


class SidebandDialect(Protocol):
    """One call's conversation over one sideband after another; the audio is elsewhere.

    A connection: :meth:`connection_made`, then :meth:`receive_message` for each message until
    :meth:`connection_lost`. Commands may be given at any time; what the server did not get waits
    for the next connection. Drain :meth:`messages_to_send` and :meth:`events_received`, and ask
    :meth:`next_timer`, after every call of any other method.
    """

    cut_off_unseen: bool
    """Whether the first thing on a sideband that takes the place of a lost one is to cut off what
    was begun meanwhile, where that can be done: nobody has watched it."""

    def url(self, base_url: str) -> str: ...

    def connection_made(self, now: float) -> None: ...

    def connection_lost(self, now: float) -> None: ...

    def receive_message(self, message: str | bytes | bytearray, now: float) -> None: ...

    def events_received(self) -> list[ModelEvent]: ...

    def messages_to_send(self) -> list[bytes]: ...

    def next_timer(self) -> float | None: ...

    def handle_timer(self, now: float) -> None: ...

    @property
    def traits(self) -> Traits: ...

    @property
    def active_response_id(self) -> str:
        """The response that is being generated, or ""."""

    def create_response(
        self, instructions: str | None = None, *, tool_choice: str | None = None
    ) -> None:
        """Ask the model to speak."""

    def interrupt(self) -> None:
        """Stop what the model says and what of it is still to be played, where that can be done."""

    def change_session(self, model: RealtimeModel, brief: Brief) -> None:
        """Go on with other settings, tools and instructions; a ``SessionChanged`` follows.

        The model stays the one that the call was accepted with, and so does a voice that was heard.
        """

    def send_digit(self, digit: str) -> bool:
        """Press a key on the caller's line; False where that can't be done."""

    def add_user_text(self, text: str) -> None: ...

    def add_system_text(self, text: str) -> None: ...

    def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None: ...

    def answer_approval(self, approval_id: str, approve: bool, reason: str = "") -> None: ...
