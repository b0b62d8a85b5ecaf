"""RTP from elsewhere: probes, floods, and who is sent to (RTP bleed)."""

from __future__ import annotations

import socket

import pytest

from telephony.rtp.packetizer import Packetizer
from tests.support.media_call import OTHER_VOICE, VOICE, Call, End, call


async def flood(c: Call, at: End, intruders: int, ticks: int) -> list[socket.socket]:
    """Let ``intruders`` send RTP to a port of ours, five packets a tick each."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(intruders)]
    packetizers = [Packetizer(0, number, 1, 1) for number in range(intruders)]
    for one in sockets:
        one.setblocking(False)
        one.bind(("127.0.0.2", 0))
    for _ in range(ticks):
        for intruder, packetizer in zip(sockets, packetizers, strict=True):
            for _ in range(5):
                loud = packetizer.packetize(b"\x00" * 160, 160)
                intruder.sendto(loud, ("127.0.0.1", at.media.port))
        await c.tick()
    return sockets


def nothing_came(intruders: list[socket.socket]) -> bool:
    def silent(intruder: socket.socket) -> bool:
        try:
            intruder.recv(2048)
        except BlockingIOError:
            return True
        finally:
            intruder.close()
        return False

    return [silent(intruder) for intruder in intruders] == [True] * len(intruders)


async def test_intruders_beside_the_caller_are_neither_heard_nor_answered() -> None:
    async with call() as c:
        one, other = c.end(VOICE), c.end(OTHER_VOICE)
        c.exchange(one, other)
        one.start()
        other.start()
        await c.tick(10)
        intruders = await flood(c, one, 5, 30)
        assert one.hears(OTHER_VOICE)
        assert nothing_came(intruders)
        stats = one.media.stats()
        assert stats.packets_refused == 5 * 5 * 30
        assert stats.packets_discarded == 0


@pytest.mark.parametrize("policy", ["off", "signalled_host"])
async def test_a_port_without_its_caller_yet_bleeds_nothing(policy: str) -> None:
    async with call(latch=policy) as c:
        one, other = c.end(VOICE), c.end(OTHER_VOICE)
        c.exchange(one, other)
        one.start()
        assert nothing_came(await flood(c, one, 3, 20))
        other.start()
        await c.tick(20)
        assert one.hears(OTHER_VOICE)


async def test_whoever_was_latched_loses_its_place_to_the_caller() -> None:
    async with call(latch=True) as c:
        one, other = c.end(VOICE), c.end(OTHER_VOICE)
        c.exchange(one, other)
        one.start()
        intruders = await flood(c, one, 1, 20)
        assert not nothing_came(intruders)
        other.start()
        await c.tick(20)
        assert one.hears(OTHER_VOICE)
        assert one.media._session is not None
        assert one.media._session.remote == ("127.0.0.1", other.media.port)
