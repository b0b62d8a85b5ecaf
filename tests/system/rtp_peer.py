"""The media end of a caller whose signalling is SIPp's: a socket that keeps what it gets."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, PCMU, AudioFormat
from telephony.audio.wav import read_wav

Address = tuple[str, int]

_HEADER = struct.Struct("!BBHII")
_PTIME_SAMPLES = 160


@dataclass(frozen=True, slots=True)
class Received:
    """A packet as RFC 3550 section 5.1 lays it out, without extensions."""

    payload_type: int
    marker: bool
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes


class RtpPeer(asyncio.DatagramProtocol):
    """``packets`` has every packet in the order in which it came."""

    def __init__(self) -> None:
        self.packets: list[Received] = []
        self.source: Address | None = None
        self.sequence_number = 1000
        self.timestamp = 0
        self._transport: asyncio.DatagramTransport

    @property
    def port(self) -> int:
        return int(self._transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if 192 <= data[1] <= 223:
            # RTCP: the port below may be that of another call.
            return
        flags, kind, sequence_number, timestamp, ssrc = _HEADER.unpack_from(data)
        assert flags == 0x80, data[:12]
        self.source = addr
        self.packets.append(
            Received(kind & 0x7F, kind > 0x7F, sequence_number, timestamp, ssrc, data[12:])
        )

    async def received(self, count: int) -> None:
        """Wait until ``count`` packets more came than now; pytest's timeout is the limit."""
        target = len(self.packets) + count
        while len(self.packets) < target:  # noqa: ASYNC110 - one waits, many come
            await asyncio.sleep(0.01)

    def send_frame(self, payload: bytes, payload_type: int = 0) -> None:
        """Send one packet of 20 ms to where the bot's came from."""
        self.send(
            _HEADER.pack(0x80, payload_type, self.sequence_number, self.timestamp, 0x5195) + payload
        )
        self.sequence_number = (self.sequence_number + 1) & 0xFFFF
        self.timestamp = (self.timestamp + _PTIME_SAMPLES) & 0xFFFFFFFF

    def send(self, data: bytes) -> None:
        assert self.source is not None
        self._transport.sendto(data, self.source)

    async def speak(self, frames: Sequence[bytes], payload_type: int = 0) -> None:
        """Send frames of 20 ms, one every 20 ms, beginning when the bot's first packet came."""
        if self.source is None:
            await self.received(1)
        loop = asyncio.get_running_loop()
        started = loop.time()
        for number, frame in enumerate(frames):
            await asyncio.sleep(started + 0.020 * number - loop.time())
            self.send_frame(frame, payload_type)


@asynccontextmanager
async def rtp_peer(host: str = "127.0.0.1") -> AsyncIterator[RtpPeer]:
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(RtpPeer, (host, 0))
    try:
        yield peer
    finally:
        transport.close()


def frames_of(wav: Path, encoding: AudioFormat = PCMU) -> list[bytes]:
    """Return a WAV file as frames of 20 ms of G.711."""
    audio = read_wav(wav.read_bytes())
    pcm16 = Converter(AudioFormat("l16", audio.sample_rate_hz), L16_8K).convert(audio.pcm16)
    g711 = Converter(L16_8K, encoding).convert(pcm16)
    whole = len(g711) - len(g711) % _PTIME_SAMPLES
    return [g711[at : at + _PTIME_SAMPLES] for at in range(0, whole, _PTIME_SAMPLES)]


def silence(frames: int) -> list[bytes]:
    return [b"\xff" * _PTIME_SAMPLES] * frames
