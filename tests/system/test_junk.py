"""Junk on every port while a call goes on: the call notices nothing."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.sipp import SippRun
from tests.system.bot import REPOSITORY, Bot, running_bot
from tests.system.conftest import RunScenario
from tests.system.rtp_peer import RtpPeer, silence

pytestmark = pytest.mark.system

DATAGRAMS = 2000
CONNECTIONS = 50
AT_ONCE = 20

INVITE = b"""\
INVITE sip:bot@127.0.0.1 SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bKjunk%d\r
From: <sip:junk@127.0.0.1:9>;tag=junk%d\r
To: <sip:bot@127.0.0.1>\r
Call-ID: junk%d\r
CSeq: 1 INVITE\r
Contact: <sip:junk@127.0.0.1:9>\r
Max-Forwards: 70\r
Content-Type: application/sdp\r
Content-Length: 84\r
\r
v=0\r
o=- 1 1 IN IP4 127.0.0.1\r
s=-\r
c=IN IP4 127.0.0.1\r
t=0 0\r
m=audio 9 RTP/AVP 0\r
"""

RTP = bytes.fromhex("8000 03e8 00000000 00005195") + bytes(160)


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Change some octets, cut a piece out, double one, or make it all up."""
    octets = bytearray(data)
    at = chance.randrange(len(octets))
    to = min(len(octets), at + chance.randrange(1, 40))
    match chance.randrange(5):
        case 0:
            for _ in range(chance.randrange(1, 10)):
                octets[chance.randrange(len(octets))] = chance.randrange(256)
        case 1:
            del octets[at:to]
        case 2:
            octets[at:at] = octets[at:to] * chance.randrange(1, 4)
        case 3:
            del octets[at:]
        case _:
            return chance.randbytes(chance.randrange(1, 1400))
    return bytes(octets)


def sip_junk(chance: random.Random) -> Iterator[bytes]:
    folder = REPOSITORY / "tests" / "fixtures" / "sip"
    seeds = [path.read_bytes() for path in sorted(folder.glob("*.sip"))]
    for number in range(DATAGRAMS):
        invite = INVITE % (number, number, number)
        yield mutated(chance, chance.choice([*seeds, invite, invite, invite]))


async def send_all(packets: Iterator[bytes], send: Callable[[bytes], object]) -> None:
    for number, packet in enumerate(packets):
        send(packet)
        if number % AT_ONCE == 0:
            await asyncio.sleep(0.01)


async def junk_over_tcp(bot: Bot, chance: random.Random) -> None:
    for packet in (p for p, _ in zip(sip_junk(chance), range(CONNECTIONS), strict=False)):
        reader, writer = await asyncio.open_connection(*bot.sip)
        writer.write(packet)
        await writer.drain()
        if chance.random() < 0.5:
            writer.transport.abort()
        else:
            writer.close()
        reader.feed_eof()


async def disturb(bot: Bot, rtp: RtpPeer, chance: random.Random) -> None:
    """Send junk as the peer of the call, and as somebody else, to SIP and RTP."""
    await rtp.received(10)
    media = rtp.source
    assert media is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        rtp_junk = [mutated(chance, RTP) for _ in range(DATAGRAMS)]
        await asyncio.gather(
            send_all(sip_junk(chance), lambda data: stranger.sendto(data, bot.sip)),
            send_all(iter(rtp_junk), rtp.send),
            send_all(iter(rtp_junk), lambda data: stranger.sendto(data, media)),
            junk_over_tcp(bot, chance),
        )


async def test_a_call_survives_junk(tmp_path: Path, sipp: RunScenario, rtp: RtpPeer) -> None:
    settings: dict[str, dict[str, Any]] = {
        "sip": {"t1_ms": 20, "t2_ms": 160, "t4_ms": 200},
        # The junk has the caller's address: it is to be read, and the caller not to be banned.
        "security": {"never_ban": ["127.0.0.1"]},
    }
    with running_bot(tmp_path / "bot", settings) as bot:
        async with asyncio.TaskGroup() as tasks:
            call: asyncio.Task[SippRun] = tasks.create_task(sipp("basic", bot, pause_ms=4000))
            tasks.create_task(disturb(bot, rtp, random.Random(5060)))
            speaking = tasks.create_task(rtp.speak(silence(1000)))
            await call
            speaking.cancel()
        now = await bot.idle()
        bot.assert_log_clean()
        calls = bot.events("call.finished")
        bot.forget_log()
        await sipp("basic", bot)
        assert (await bot.logged("call.finished"))[0]["cause"] == "caller_hung_up"
    assert now.total("telephony_sip_malformed_total") > DATAGRAMS / 10
    assert now.total("telephony_sip_messages_received_total") > DATAGRAMS / 2
    assert now.total("telephony_rtp_packets_malformed_total") > DATAGRAMS / 10
    assert now.total("telephony_rtp_packets_refused_total") > 0
    ours = max(calls, key=lambda call: call.get("packets_received", 0))
    assert (ours["cause"], ours["called"]) == ("caller_hung_up", "bot")
    assert ours["packets_received"] > 100
    first = [packet for packet in rtp.packets if packet.ssrc == rtp.packets[0].ssrc]
    numbers = [packet.sequence_number for packet in first]
    assert len(numbers) > 150
    # The bot spoke all the time, in one unbroken stream.
    assert numbers == [(numbers[0] + at) & 0xFFFF for at in range(len(numbers))]
