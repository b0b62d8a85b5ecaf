"""Two ends of a call on our own media plane, over loopback, whose time the test moves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from telephony.base.ids import Ids
from telephony.sdp.offer_answer import LocalMedia, OfferAnswer
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.rtp_media import MediaPlane, RtpMedia
from tests.support.fake_call import FakeClock
from tests.support.ports import port_pool

VOICE = bytes([0x10, 0x90]) * 80
OTHER_VOICE = bytes([0x20, 0xA0]) * 80


class Talker:
    """A sink that says one frame over and over."""

    def __init__(self, says: bytes) -> None:
        self.heard: list[bytes] = []
        self._says = says

    def hear(self, frame: bytes, now: float) -> None:
        self.heard.append(frame)

    def speak(self, now: float) -> bytes:
        return self._says


class End:
    """One side of a call: media, its negotiation, and the datagrams that it sent."""

    def __init__(self, plane: MediaPlane, says: bytes, host: str, **local: Any) -> None:
        self.errors: list[Exception] = []
        self.digits: list[str] = []
        self.media = RtpMedia(
            plane, self.digits.append, self.errors.append, media_host=host, signalling_host=host
        )
        self.sink = Talker(says)
        self.wire: list[bytes] = []
        here = self.media.address_towards(host)
        self.negotiation = OfferAnswer(LocalMedia(here, self.media.port, **local), plane.ids)
        endpoint: Any = self.media._endpoint
        self._send = endpoint.send
        endpoint.send = self._note

    def _note(self, data: bytes, address: tuple[str, int]) -> None:
        self.wire.append(data)
        self._send(data, address)

    def start(self) -> None:
        self.media.start(self.sink)

    def hears(self, frame: bytes) -> bool:
        return self.sink.heard[-5:] == [frame] * 5


class ManualPacer:
    """Ticks when the test says so."""

    sub_tick_ms = 2

    def __init__(self) -> None:
        self.slots: list[Any] = []

    def add(self, callback: Any, ptime_ms: int) -> Any:
        slot = type("Slot", (), {"callback": staticmethod(callback), "skipped": 0})()
        self.slots.append(slot)
        return slot

    def remove(self, slot: Any) -> None:
        self.slots.remove(slot)

    def shift(self, slot: Any, earlier_ms: int) -> int:
        return 0


class Call:
    """Two ends on one plane, whose time the test moves."""

    def __init__(self, plane: MediaPlane, clock: FakeClock, pacer: ManualPacer) -> None:
        self.plane = plane
        self.clock = clock
        self.pacer = pacer
        self.ends: list[End] = []

    def end(self, says: bytes = VOICE, host: str = "127.0.0.1", **local: Any) -> End:
        made = End(self.plane, says, host, **local)
        self.ends.append(made)
        return made

    def exchange(self, offerer: End, answerer: End) -> None:
        answer = answerer.negotiation.answer(offerer.negotiation.create_offer())
        answerer.media.negotiated(answer.media)
        offerer.media.negotiated(offerer.negotiation.receive_answer(answer.sdp))

    async def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.now += 0.02
            for slot in list(self.pacer.slots):
                slot.callback(self.clock.now)
            for end in self.ends:
                end.media._endpoint.read_pending(50)
            await asyncio.sleep(0)


@asynccontextmanager
async def call(**config: Any) -> AsyncIterator[Call]:
    clock, pacer, ids = FakeClock(), ManualPacer(), Ids(os.urandom)
    fields: dict[str, Any] = {"host": "127.0.0.1", **config}
    ports = port_pool(50, ids)
    loop = asyncio.get_running_loop()
    made = Call(
        MediaPlane(MediaConfig(**fields), loop, ports, pacer, clock, ids),  # type: ignore[arg-type]
        clock,
        pacer,
    )
    try:
        yield made
        assert [end.errors for end in made.ends] == [[]] * len(made.ends)
    finally:
        for end in made.ends:
            end.media.close()
