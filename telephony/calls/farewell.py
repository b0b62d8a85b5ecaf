"""What the model says before a call leaves it: heard to its end, and revocable until then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from telephony.base.errors import LocalProtocolError
from telephony.realtime.events import ResponseFinished, ToolCallRequested

FAREWELL_LIMIT_S = 20.0
"""The longest a farewell may take, from the model's wish to its last frame."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A tool that takes the caller away from the model, in the words that the model is told.

    ``say`` asks for a farewell that was not said, ``goes_on`` tells that the caller interrupted
    it, ``pending`` that one is under way already.
    """

    say: str
    goes_on: str
    pending: str


Depart = Callable[[bool], None]
"""Does what was wished; True when the tool call has its output already."""


class Told(Protocol):
    """The part of a dialect that a farewell needs."""

    @property
    def active_response_id(self) -> str: ...

    def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None: ...

    def add_system_text(self, text: str) -> None: ...


class Heard(Protocol):
    """Who knows what the caller hears of the model: the bridge, where the audio is ours."""

    @property
    def dialect(self) -> Told: ...

    @property
    def spoken_response_id(self) -> str:
        """The response that was spoken last."""

    @property
    def caller_hears(self) -> bool:
        """Whether something of it is still to be heard."""

    def send_control(self) -> None:
        """Send what the dialect has to say."""


class Farewell:
    """Waits until nothing is left to be heard, then does what the model wished, once.

    A farewell said in the response that called the tool is played to its end. One that was not
    said is asked for. A caller who interrupts it keeps the call as it is.
    """

    def __init__(self, bridge: Heard) -> None:
        self._bridge = bridge
        self._call: ToolCallRequested | None = None
        self._wish: Wish | None = None
        self._depart: Depart | None = None
        self._asked_for = False
        self._awaits_response = False
        self._spoken_meanwhile = ""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> bool:
        return self._call is not None

    def requested(
        self, call: ToolCallRequested, wish: Wish, depart: Depart, *, interrupted: bool
    ) -> None:
        """The model called the tool, in a response that is over now.

        ``interrupted``: the caller cut that response off, and with it the farewell.
        """
        if interrupted:
            self._answer(call, wish.goes_on)
        elif self._wish is not None:
            self._answer(call, self._wish.pending)
        else:
            self._call, self._wish, self._depart = call, wish, depart
            self._wait(call, wish)

    def _wait(self, call: ToolCallRequested, wish: Wish) -> None:
        self._asked_for = self._awaits_response = False
        # A model whose tools are called beside what it says may be in the midst of a sentence.
        self._spoken_meanwhile = self._bridge.dialect.active_response_id
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(FAREWELL_LIMIT_S, self._go)
        if self._bridge.spoken_response_id == call.response_id:
            self._go_if_heard()
        else:
            self._asked_for = self._awaits_response = True
            self._give_output(call, wish.say, respond=True)

    def response_finished(self, event: ResponseFinished) -> None:
        if self._call is None or event.out_of_band:
            return
        if event.response_id not in (self._call.response_id, self._spoken_meanwhile):
            self._awaits_response = False
        self._go_if_heard()

    def playout_drained(self) -> None:
        self._go_if_heard()

    def interrupted(self) -> None:
        """The caller has something to say: the call goes on."""
        call, wish = self._call, self._wish
        if call is None or wish is None:
            return
        asked_for = self._asked_for
        self.close()
        if asked_for:
            self._bridge.dialect.add_system_text(wish.goes_on)
            self._bridge.send_control()
        else:
            self._answer(call, wish.goes_on)

    def cancelled(self, call_ids: Collection[str]) -> None:
        """The model no longer wishes what it called a tool for; nothing may be answered."""
        if self._call is not None and self._call.call_id in call_ids:
            self.close()

    def close(self) -> None:
        """Forget the wish."""
        self._call = self._wish = self._depart = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _answer(self, call: ToolCallRequested, text: str) -> None:
        """Give the call its output; the caller's next turn is answered anyway."""
        self._give_output(call, text, respond=False)

    def _give_output(self, call: ToolCallRequested, text: str, *, respond: bool) -> None:
        # A model that took its call back wants no output any more.
        with suppress(LocalProtocolError):
            self._bridge.dialect.send_tool_output(call.call_id, text, respond=respond)
        self._bridge.send_control()

    def _go_if_heard(self) -> None:
        if self._call is not None and not self._awaits_response and not self._bridge.caller_hears:
            self._go()

    def _go(self) -> None:
        depart, asked_for = self._depart, self._asked_for
        self.close()
        if depart is not None:
            depart(asked_for)
