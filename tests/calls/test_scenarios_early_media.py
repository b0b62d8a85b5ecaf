"""Calls that we place over SIP and RTP: what the far end plays before it answers."""

from __future__ import annotations

import asyncio
import os
import wave
from array import array
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from telephony.audio import g711
from telephony.audio.format import PCMA, PCMU
from telephony.base.dialing import DialRequest
from telephony.base.ids import Ids
from telephony.calls import call as call_module
from telephony.calls import cause
from telephony.calls.call import Call
from telephony.calls.outbound import Originator, OutboundCall
from telephony.calls.reception import Reception
from telephony.calls.recorder import Recordings
from telephony.dialplan import Dialplan
from telephony.net.clock import monotonic
from telephony.net.dns import SipResolver
from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.trunk import Trunk
from telephony.stacks.trunks.dialing import TrunkDialer
from telephony.stacks.trunks.directory import TrunkDirectory
from telephony.stacks.trunks.reaching import Reach
from tests.support.fake_call import services
from tests.support.phones import Watcher
from tests.support.stacks import Party, stack, until

LOUD, SOFT = 20_000, 2_000
LOUD_PCMU = g711.encode(PCMU, array("h", [LOUD] * 160).tobytes())
SOFT_PCMA = g711.encode(PCMA, array("h", [SOFT] * 160).tobytes())


class Ear:
    """Hears what is played to us before somebody answers."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def call_rings(self) -> None: ...

    def early_media_began(self) -> None: ...

    def hear_early_media(self, frame: bytes, now: float) -> None:
        self.frames.append(frame)

    def heard(self, level: int) -> int:
        """Count the frames of about this level."""
        first = (array("h", g711.decode(PCMU, frame))[0] for frame in self.frames)
        return sum(1 for sample in first if abs(sample - level) < level // 5)


class World:
    """A caller who records, and two carriers that the test drives."""

    def __init__(self, resources: AsyncExitStack, folder: Path) -> None:
        self._resources = resources
        self._folder = folder
        self.watcher = Watcher()
        self.ear = Ear()

    async def open(self) -> None:
        enter = self._resources.enter_async_context
        self.caller, _, _ = await enter(stack(1))
        self.carriers = [await enter(stack(2)), await enter(stack(3, ("pcma",)))]
        trunks = [
            Trunk(name, (f"sip:127.0.0.1:{port}",), keepalive=None)
            for name, (_, port, _) in zip(("first", "second"), self.carriers, strict=True)
        ]
        reach = Reach(SipResolver(Ids.seeded(9)), self.caller.endpoint, monotonic)
        dialer = TrunkDialer(self.caller, TrunkDirectory(trunks), reach, monotonic)
        self.recordings = Recordings(self._folder, os.urandom)
        self._resources.callback(self.recordings.close)
        made = services(
            clock=monotonic, metrics=self.watcher, dialer=dialer, open_recorder=self.recordings.open
        )
        self.reported: list[Call] = []
        self.reception = await enter(
            Reception(Dialplan({"main": []}), made, max_calls=2, report=self.reported.append)
        )
        self.originator = Originator(self.reception, made)

    def place(self, *trunks: str) -> OutboundCall:
        return self.originator.place(DialRequest("+15550100", trunks), "bot", self.ear)

    async def early(self, carrier: int, sound: bytes) -> tuple[NativeLeg, Party]:
        """Wait for the call at a carrier, and let it play before it answers."""
        legs = self.carriers[carrier][2]
        await until(lambda: legs)
        leg, party = legs[0], Party(says=sound)
        leg.listen(party)
        leg.prepare()
        leg.progress()
        leg.media.start(party)
        return leg, party

    def channels(self, call: OutboundCall) -> tuple[list[int], list[int]]:
        """Return the samples of a recording: the far end's and the bot's."""
        with wave.open(str(self.recordings.path_of(call.call_id))) as file:
            frames = memoryview(file.readframes(file.getnframes())).cast("h")
        return list(frames[::2]), list(frames[1::2])

    @property
    def stacks(self) -> list[NativeStack]:
        return [self.caller, *(carrier for carrier, _, _ in self.carriers)]

    async def nothing_left(self) -> None:
        await until(lambda: all(native.legs == 0 for native in self.stacks))
        for _, _, legs in self.carriers:
            for leg in legs:
                leg.close()
        assert all(native.plane.ports.in_use == 0 for native in self.stacks)
        assert self.watcher.legs == []
        assert self.watcher.active == 0


@pytest.fixture(name="world")
async def _world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(call_module, "HEARD_TAIL_S", 0.0)
    async with AsyncExitStack() as resources:
        world = World(resources, tmp_path)
        await world.open()
        yield world


def near(samples: list[int], level: int) -> int:
    """Count the samples of about this level."""
    return sum(1 for sample in samples if abs(abs(sample) - level) < level // 5)


async def test_an_announcement_that_nobody_answers_is_recorded(world: World) -> None:
    call = world.place("first")
    leg, party = await world.early(0, LOUD_PCMU)
    await until(lambda: world.ear.heard(LOUD) > 12 and party.heard)
    leg.reject(404)
    assert await call.finished() == cause.CALLEE_NOT_FOUND
    assert call.early_media
    far_end, bot = world.channels(call)
    assert near(far_end, LOUD) > 10 * 160
    assert set(bot) == {0}
    await world.nothing_left()


async def test_another_trunk_and_codec_go_on_in_the_same_recording(world: World) -> None:
    call = world.place("first", "second")
    first, _ = await world.early(0, LOUD_PCMU)
    await until(lambda: world.ear.heard(LOUD) > 7)
    first.reject(503)
    second, party = await world.early(1, SOFT_PCMA)
    await until(lambda: world.ear.heard(SOFT) > 7)
    second.answer()
    assert await call.answered()
    await until(lambda: call.line.opened.partner)
    await until(lambda: len(party.heard) > 20)
    assert second.media.encoding == "pcma"
    assert call.line.opened.format.encoding == "pcmu"
    call.cancel()
    assert await call.finished() is cause.OPERATOR_HUNG_UP
    far_end, _ = world.channels(call)
    assert near(far_end, LOUD) > 5 * 160
    assert near(far_end, SOFT) > 5 * 160
    await world.nothing_left()


async def test_a_call_cancelled_while_it_plays_is_over_everywhere(world: World) -> None:
    call = world.place("first")
    leg, party = await world.early(0, LOUD_PCMU)
    await until(lambda: call.line.line)
    call.cancel()
    assert await call.finished() is cause.DIAL_CANCELLED
    await asyncio.wait_for(party.over.wait(), 60)
    assert party.ended is not None
    assert party.ended[0] == "remote"
    assert leg.ended
    await world.nothing_left()
