"""Callers for a bench: real SIP over our user agent, real RTP on sockets of their own.

Receive times come from the kernel (SO_TIMESTAMPNS), so that what is measured is when the bot's
packets reached this machine's socket and not when this process got around to them.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from array import array
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.net.pacer import Pacer, Slot
from telephony.net.sip_endpoint import SipEndpoint
from telephony.rtp.packetizer import Packetizer
from telephony.sip import events as sip
from telephony.sip.config import UserAgentConfig
from telephony.sip.flow import Flow
from telephony.sip.user_agent import UserAgent
from tests.bench.marks import Mark, NumberMark

SO_TIMESTAMPNS = 35
CYCLE_FRAMES = 300
SPEECH_FRAMES = 100
SILENCE = b"\xff" * 160
_TIMESPEC = struct.Struct("qq")


class Tallies:
    """What all callers saw together; gaps in counts of 0.1 ms."""

    def __init__(self) -> None:
        self.measuring = False
        self.gaps = array("I", [0] * 20000)
        self.packets_received = 0
        self.packets_lost = 0
        self.packets_sent = 0
        self.max_gap_ms = 0.0
        self.caller_to_model_ms: list[float] = []
        self.model_to_caller_ms: list[float] = []
        self.setup_ms: list[float] = []
        self.failed = 0
        self.ended = 0

    def reset(self) -> None:
        self.gaps = array("I", [0] * 20000)
        self.packets_received = self.packets_lost = self.packets_sent = 0
        self.max_gap_ms = 0.0
        self.caller_to_model_ms.clear()
        self.model_to_caller_ms.clear()

    def gap_percentile_ms(self, share: float) -> float:
        wanted, seen = share * sum(self.gaps), 0
        for index, count in enumerate(self.gaps):
            seen += count
            if seen >= wanted and seen:
                return index / 10
        return 0.0


class Caller:
    """One call: speech, a mark, silence, over and over."""

    def __init__(self, load: Load, number: int) -> None:
        self.load = load
        self.number = number
        self.leg_id = ""
        self.dialled_at = 0.0
        self.marked_at = 0.0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind(("127.0.0.1", 0))
        self._packetizer = Packetizer(0, number + 1, 0, 0)
        self._remote: tuple[str, int] | None = None
        self._frame = number * 7 % CYCLE_FRAMES
        self._slot: Slot | None = None
        self._last_at = 0.0
        self._last_sequence = -1

    def offer(self) -> bytes:
        port = self.socket.getsockname()[1]
        return (
            f"v=0\r\no=- {self.number} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
            "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
        ).encode()

    def answered(self, sdp: bytes) -> None:
        for line in sdp.decode().splitlines():
            if line.startswith("m=audio "):
                self.start(("127.0.0.1", int(line.split()[1])))

    @property
    def started(self) -> bool:
        return self._slot is not None

    def start(self, remote: tuple[str, int]) -> None:
        """Exchange packets with ``remote``."""
        self._remote = remote
        self.load.loop.add_reader(self.socket.fileno(), self._readable)
        self._slot = self.load.pacer.add(self._tick)

    def close(self) -> None:
        if self._slot is not None:
            self.load.pacer.remove(self._slot)
        self.load.loop.remove_reader(self.socket.fileno())
        self.socket.close()

    def _tick(self, now: float) -> None:
        assert self._remote is not None
        try:
            self.socket.sendto(self._packetizer.packetize(self.payload(), 160), self._remote)
        except OSError:
            return
        self.load.tallies.packets_sent += 1

    def payload(self) -> bytes:
        """Return the next frame to say."""
        self._frame = (self._frame + 1) % CYCLE_FRAMES
        if self._frame < SPEECH_FRAMES:
            return self.load.speech[self._frame]
        if self._frame > SPEECH_FRAMES:
            return SILENCE
        self.marked_at = time.time()
        if self.load.echoes:
            self.load.answered_at[self.number] = self.marked_at
        return self.load.mark.frame(self.number)

    def _readable(self) -> None:
        try:
            data, ancillary, _, _ = self.socket.recvmsg(512, 64)
        except OSError:
            return
        if 192 <= data[1] <= 223:
            # RTCP: that of the caller whose port is the one below.
            return
        tallies = self.load.tallies
        seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
        at = seconds + nanoseconds * 1e-9
        sequence = (data[2] << 8) | data[3]
        if tallies.measuring:
            tallies.packets_received += 1
            if self._last_sequence >= 0:
                tallies.packets_lost += (sequence - self._last_sequence - 1) & 0xFFFF
                gap_ms = (at - self._last_at) * 1000
                tallies.gaps[max(0, min(19999, int(gap_ms * 10)))] += 1
                tallies.max_gap_ms = max(tallies.max_gap_ms, gap_ms)
        self._last_at = at
        self._last_sequence = sequence
        self.heard(data, at)

    def heard(self, packet: bytes, at: float) -> None:
        """Take what the bot says."""
        answered_at = self.load.answered_at
        if self.number in answered_at and self.load.mark.is_in(packet):
            sent_at = answered_at.pop(self.number)
            if self.load.tallies.measuring:
                self.load.tallies.model_to_caller_ms.append((at - sent_at) * 1000)


class Load:
    """Dials, holds and ends calls to the bots at these ports in turn.

    ``echoes``: they say back what they hear, so that what they answered was said when it was sent.
    """

    def __init__(
        self,
        bot_port: int | Sequence[int],
        speech: list[bytes],
        answered_at: dict[int, float],
        *,
        echoes: bool = False,
        user: str = "+15550100",
        mark: Mark | None = None,
        make_caller: Callable[[Load, int], Caller] = Caller,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.speech = speech
        self.answered_at = answered_at
        self.tallies = Tallies()
        self.pacer = Pacer(self.loop, sub_tick_ms=1)
        self.callers: dict[str, Caller] = {}
        self.echoes = echoes
        self.mark = mark or NumberMark()
        self._make_caller = make_caller
        self._user = user
        self._bot_ports = cycle([bot_port] if isinstance(bot_port, int) else bot_port)
        self._numbers = 0
        ids = Ids.seeded(1)
        self._user_agent = UserAgent(UserAgentConfig(), ids)
        self.endpoint = SipEndpoint(self._user_agent, self.loop, self._event)
        self.port = 0

    async def start(self) -> None:
        self.port = await self.endpoint.listen("127.0.0.1", 0, tcp=False)

    def heard(self, number: int, at: float) -> None:
        """The model got the mark of this call."""
        for caller in self._by_number.get(number, ()):
            if self.tallies.measuring and caller.marked_at:
                self.tallies.caller_to_model_ms.append((at - caller.marked_at) * 1000)

    @property
    def last_number(self) -> int:
        """The number of the call that was dialled last."""
        return self._numbers

    @property
    def _by_number(self) -> dict[int, list[Caller]]:
        cached: dict[int, list[Caller]] = self.__dict__.setdefault("_numbered", {})
        return cached

    async def dial(self, count: int, per_second: float) -> None:
        """Place ``count`` more calls and wait until each is answered or refused."""
        started_at = monotonic()
        for index in range(count):
            wait_s = started_at + index / per_second - monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self._dial_one()
        deadline = monotonic() + 15
        while monotonic() < deadline and any(not c.started for c in self.callers.values()):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)

    def _dial_one(self) -> None:
        port = next(self._bot_ports)
        flow = Flow("udp", ("127.0.0.1", port), ("127.0.0.1", self.port))
        self._numbers += 1
        caller = self._make_caller(self, self._numbers)
        self._by_number[caller.number] = [caller]
        now = caller.dialled_at = monotonic()
        caller.leg_id = self._user_agent.invite(
            f"sip:{self._user}@127.0.0.1:{port}",
            f"sip:+1555{caller.number:07d}@127.0.0.1",
            caller.offer(),
            flow,
            now,
        )
        self.callers[caller.leg_id] = caller
        self.endpoint.flush()

    def echo_callers(self, first_port: int, count: int) -> list[Caller]:
        """Return callers that need no signalling: they talk to every second port."""
        callers = [Caller(self, number) for number in range(count)]
        for index, caller in enumerate(callers):
            caller.start(("127.0.0.1", first_port + 2 * index))
        return callers

    async def hang_up_all(self) -> None:
        for leg_id in list(self.callers):
            self._user_agent.bye(leg_id, monotonic())
        self.endpoint.flush()
        await asyncio.sleep(1.0)
        for leg_id in list(self.callers):
            self.callers.pop(leg_id).close()

    async def close(self) -> None:
        await self.hang_up_all()
        self.pacer.close()
        await self.endpoint.close()

    def _event(self, event: Any) -> None:
        caller = self.callers.get(event.leg_id)
        if caller is None:
            return
        if isinstance(event, sip.CallAnswered):
            self.tallies.setup_ms.append((monotonic() - caller.dialled_at) * 1000)
            caller.answered(event.sdp or b"")
        elif isinstance(event, sip.CallFailed | sip.LegEnded):
            if isinstance(event, sip.CallFailed):
                self.tallies.failed += 1
            else:
                self.tallies.ended += 1
            self.callers.pop(event.leg_id).close()
