"""Sources that nobody signalled: a stream over some time, before they are believed."""

from __future__ import annotations

from telephony.rtp.packet import RtpPacket

Address = tuple[str, int]
HeldPacket = tuple[RtpPacket, int, float]
"""A packet, what its payload type means, and when it came."""

_PACKETS = 4
_MIN_SPAN_S = 0.02
_MAX_STEP_PACKETS = 8
_HELD_PACKETS = 16
_SOURCES = 8


class _Stream:
    """What one source sent so far, as far as it goes on."""

    __slots__ = ("count", "held", "since")

    def __init__(self, packet: RtpPacket, kind: int, now: float) -> None:
        self.count = 1
        self.since = now
        self.held: list[HeldPacket] = [(packet, kind, now)]

    def goes_on_with(self, packet: RtpPacket) -> bool:
        last = self.held[-1][0]
        step = (packet.sequence_number - last.sequence_number) & 0xFFFF
        return packet.ssrc == last.ssrc and 0 < step <= _MAX_STEP_PACKETS

    def add(self, packet: RtpPacket, kind: int, now: float) -> None:
        self.count += 1
        self.held.append((packet, kind, now))
        if len(self.held) > _HELD_PACKETS:
            del self.held[0]

    def is_proved(self, now: float) -> bool:
        # Four packets of 20 ms span 60 ms, of 10 ms 30 ms; a spray of four comes at once.
        return self.count >= _PACKETS and now - self.since >= _MIN_SPAN_S


class Probation:
    """Watches up to eight sources at once; the newest takes the place of the oldest.

    Four packets in order, of one SSRC and not all at once, prove a stream. Packets of the sources
    are held, so that the first words of the one that is taken are not lost.
    """

    __slots__ = ("_streams",)

    def __init__(self) -> None:
        self._streams: dict[Address, _Stream] = {}

    def observe(
        self, source: Address, packet: RtpPacket, kind: int, now: float
    ) -> list[HeldPacket] | None:
        """Take a packet; return all that are held of ``source`` when it has proved itself."""
        stream = self._streams.get(source)
        if stream is None and len(self._streams) >= _SOURCES:
            del self._streams[next(iter(self._streams))]
        if stream is None or not stream.goes_on_with(packet):
            self._streams[source] = _Stream(packet, kind, now)
            return None
        stream.add(packet, kind, now)
        return stream.held if stream.is_proved(now) else None

    def forget(self) -> None:
        self._streams.clear()
