"""A leg of ours that says back what it hears: ``python -m tests.bench.media_echo PORT REPORT``.

What it says went through its jitter buffer and its concealment. When a call ends, a line of JSON
about it is appended to the report: ``call`` (the user part of From), ``concealed_ms``,
``lost_packets``, ``jitter_buffer_ms``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import uvloop

from telephony.base.ids import Ids
from telephony.base.interfaces import Leg
from telephony.net.clock import monotonic
from telephony.net.pacer import Pacer
from telephony.net.port_pool import PortPool
from telephony.sip.config import UserAgentConfig
from telephony.sip.user_agent import UserAgent
from telephony.stacks.native import NativeStack
from telephony.stacks.rtp_media import MediaConfig, MediaPlane

HOST = "127.0.0.1"
RTP_PORTS = (50000, 50198)


class Echo:
    """Listener and sink of one leg."""

    def __init__(self, leg: Leg, report: Path) -> None:
        self._leg = leg
        self._report = report
        self._frame: bytes | None = None
        leg.listen(self)
        leg.prepare()
        leg.answer()

    def hear(self, frame: bytes, now: float) -> None:
        self._frame = frame

    def speak(self, now: float) -> bytes | None:
        return self._frame

    def leg_confirmed(self) -> None:
        self._leg.media.start(self)

    def leg_ended(self, ended_by: str, cause: str, status: int) -> None:
        stats = self._leg.media.stats()
        line = {
            "call": self._leg.facts.caller,
            "concealed_ms": stats.concealed_ms,
            "lost_packets": stats.packets_lost,
            "jitter_buffer_ms": round(stats.jitter_buffer_delay_ms),
        }
        with self._report.open("a") as report:
            report.write(json.dumps(line) + "\n")
        self._leg.close()

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        """Inbound legs have no provisional responses."""

    def leg_held(self, held: bool) -> None:
        """Nobody holds a call here."""

    def digit_received(self, digit: str) -> None:
        """An echo has no keys."""

    def transfer_progressed(self, status: int, reason: str) -> None:
        """An echo transfers nobody."""

    def transfer_finished(self, status: int, reason: str, refused: bool = False) -> None:
        """An echo transfers nobody."""

    def refer_received(self, target_uri: str, referred_by: str) -> None:
        self._leg.answer_refer(603)

    def leg_replaced(self, leg: Leg) -> None:
        leg.reject(486)


async def serve(port: int, report: Path) -> None:
    """Answer every call on UDP ``port`` until SIGTERM."""
    loop = asyncio.get_running_loop()
    ids = Ids(os.urandom)
    pacer = Pacer(loop)
    ports = PortPool(*RTP_PORTS, ids, 0.0)
    plane = MediaPlane(MediaConfig(HOST, None), loop, ports, pacer, monotonic, ids)
    user_agent = UserAgent(UserAgentConfig(contact_user="echo", product="bench-echo"), ids)
    stack = NativeStack(user_agent, plane, lambda leg: Echo(leg, report) and None)
    await stack.endpoint.listen(HOST, port)
    done = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, done.set)
    await done.wait()
    await stack.close()
    pacer.close()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
