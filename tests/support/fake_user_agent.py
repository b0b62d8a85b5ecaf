"""A user agent that only remembers what it was told, and says what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from telephony.sip.events import Event
from telephony.sip.flow import Flow, Outgoing


class FakeUserAgent:
    """``react`` runs on every message, as a core would before its outputs are pulled."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Flow, float]] = []
        self.failed: list[Flow] = []
        self.undelivered: list[bytes] = []
        self.fails_undelivered: Flow | None = None
        self.outbox: list[Outgoing] = []
        self.events: list[Event] = []
        self.deadline: float | None = None
        self.timers: list[float] = []
        self.react: Callable[[bytes, Flow], None] = lambda data, flow: None
        self.changed = asyncio.Event()

    def receive_message(self, data: bytes, flow: Flow, now: float) -> None:
        self.received.append((data, flow, now))
        self.react(data, flow)
        self.changed.set()

    def transport_failed(self, flow: Flow, now: float) -> None:
        self.failed.append(flow)
        self.changed.set()

    def datagram_undelivered(self, head: bytes, now: float) -> Flow | None:
        self.undelivered.append(head)
        self.changed.set()
        return self.fails_undelivered

    def next_timer(self) -> float | None:
        return self.deadline

    def handle_timer(self, now: float) -> None:
        if self.deadline is not None and self.deadline <= now:
            self.timers.append(now)
            self.deadline = None
            self.changed.set()

    def messages_to_send(self) -> list[Outgoing]:
        messages, self.outbox = self.outbox, []
        return messages

    def events_received(self) -> list[Event]:
        events, self.events = self.events, []
        return events

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something that happened makes ``condition`` true."""
        while not condition():
            self.changed.clear()
            await self.changed.wait()
