"""A call over the trunk that goes on while its bot is attacked, and what must be left of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.eventually import eventually
from tests.support.sip_source import Address, Dialog, SipSource, place_call, sip_source, status_of
from tests.system.bot import Bot
from tests.system.rtp_peer import RtpPeer, rtp_peer, silence

CARRIER = "127.0.0.7"
"""The address of the trunk ``carrier``."""

MEMORY_KIB = 48 * 1024
"""What may stay of an attack: tables, arenas and caches, all of them bounded."""


@dataclass
class Siege:
    """A bot, and the call that goes on meanwhile."""

    bot: Bot
    rtp: RtpPeer
    carrier: SipSource
    call: Dialog
    tcp: Address
    tls: Address


def resident_kib(bot: Bot) -> int:
    status = Path(f"/proc/{bot.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def listening(bot: Bot, key: str) -> Address:
    lines = bot.log_text.splitlines()
    started = next(line for line in lines if '"server.started"' in line)
    host, port = json.loads(started)[key].rsplit(":", 1)
    return host, int(port)


@asynccontextmanager
async def besieging(bot: Bot) -> AsyncIterator[Siege]:
    """Place a call over the trunk, check that it went on, and that nothing stayed of the attack."""
    bot.forget_log()
    await bot.idle()
    async with rtp_peer(CARRIER) as rtp, sip_source(CARRIER, bot.sip) as carrier:
        call = await place_call(carrier, rtp.port)
        files, memory_kib = bot.open_files(), resident_kib(bot)
        speaking = asyncio.create_task(rtp.speak(silence(5000)))
        await rtp.received(10)
        siege = Siege(bot, rtp, carrier, call, listening(bot, "sip_tcp"), listening(bot, "sip_tls"))
        try:
            yield siege
        except BaseException:
            speaking.cancel()
            await call.ask("BYE")
            raise
        heard = len(rtp.packets)
        await rtp.received(25)
        speaking.cancel()
        spoken = rtp.sequence_number - 1000
        # A bot that goes on speaking has read what came before: the BYE overtakes nothing.
        await rtp.received(5)
        assert status_of(await call.ask("BYE")) == 200
        await bot.idle()
        await eventually(lambda: bot.open_files() <= files)
        assert len(rtp.packets) > heard
    assert_unbroken(rtp)
    ours = longest_call(bot)
    assert (ours["cause"], ours.get("packets_lost", 0)) == ("caller_hung_up", 0)
    assert spoken - 5 <= ours["packets_received"] <= spoken
    assert resident_kib(bot) - memory_kib < MEMORY_KIB
    bot.assert_log_clean()


def longest_call(bot: Bot) -> dict[str, Any]:
    return max(bot.events("call.finished"), key=lambda call: call.get("packets_received", 0))


def assert_unbroken(rtp: RtpPeer) -> None:
    """All the bot's packets came, once and in order, from one source."""
    numbers = [packet.sequence_number for packet in rtp.packets]
    assert numbers == [(numbers[0] + at) & 0xFFFF for at in range(len(numbers))]
    assert len({packet.ssrc for packet in rtp.packets}) == 1


async def banned(bot: Bot, *sources: str) -> None:
    """Wait until each was banned, as the log tells it."""
    while True:
        found = {line["source"] for line in bot.events("source.banned")}
        if found.issuperset(sources):
            return
        await asyncio.sleep(0.05)


def offences_of(bot: Bot, *sources: str) -> set[str]:
    bans = bot.events("source.banned")
    return {line["offence"] for line in bans if line["source"] in sources}


async def released(bot: Bot) -> None:
    """Wait until no ban is left, and the log tells of it."""
    while (await bot.scrape()).total("telephony_security_banned_sources"):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    await bot.logged("sources.released")


async def send_all(source: SipSource, datagrams: Sequence[bytes], at_once: int = 25) -> None:
    for number, datagram in enumerate(datagrams):
        source.send(datagram)
        if number % at_once == 0:
            await asyncio.sleep(0.005)
