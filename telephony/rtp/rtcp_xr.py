"""Extended reports of RTCP (RFC 3611): receiver reference times and VoIP metrics."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

_REFERENCE_TIME = 4
_DELAYS = 5
_VOIP_METRICS = 7

_BLOCK_HEADER = struct.Struct("!BBH")
_SSRC = struct.Struct("!I")
_NTP = struct.Struct("!Q")
_DELAY = struct.Struct("!III")
_VOIP = struct.Struct("!IBBBBHHHHbbBBBBBBBBHHH")
_UNKNOWN_BYTE = 127
_SCALE_OF_MOS = 10


@dataclass(frozen=True, slots=True)
class ReferenceTime:
    """The clock of a receiver, who wants it back (section 4.4); ``ntp`` is 64 bits."""

    ntp: int


@dataclass(frozen=True, slots=True)
class DelaySinceReference:
    """The answer to a :class:`ReferenceTime` of ``ssrc`` (section 4.5).

    ``last_rr`` is the middle of its 64 bits, ``delay`` in 1/65536 s.
    """

    ssrc: int
    last_rr: int
    delay: int


@dataclass(frozen=True, slots=True)
class VoipMetrics:
    """How a telephone hears the stream of ``ssrc`` (section 4.7), in the units of the wire.

    Rates and densities are in 1/256, times in ms, levels in dBm0; 127 says "not known" of
    levels, R factors and MOS, the latter in tenths.
    """

    ssrc: int
    loss_rate: int = 0
    discard_rate: int = 0
    burst_density: int = 0
    gap_density: int = 0
    burst_duration_ms: int = 0
    gap_duration_ms: int = 0
    round_trip_ms: int = 0
    end_system_delay_ms: int = 0
    signal_level: int = _UNKNOWN_BYTE
    noise_level: int = _UNKNOWN_BYTE
    residual_echo: int = _UNKNOWN_BYTE
    gap_threshold: int = 16
    r_factor: int = _UNKNOWN_BYTE
    external_r_factor: int = _UNKNOWN_BYTE
    mos_listening: int = _UNKNOWN_BYTE
    mos_conversational: int = _UNKNOWN_BYTE
    receiver_configuration: int = 0
    buffer_nominal_ms: int = 0
    buffer_maximum_ms: int = 0
    buffer_absolute_maximum_ms: int = 0

    @property
    def mos(self) -> float | None:
        """The peer's own estimate of the listening quality, 1 to 5."""
        if not _SCALE_OF_MOS <= self.mos_listening <= 5 * _SCALE_OF_MOS:
            return None
        return self.mos_listening / _SCALE_OF_MOS


@dataclass(frozen=True, slots=True)
class ExtendedReport:
    """The blocks of one packet by kind; ``malformed`` and ``unknown`` count what is none."""

    ssrc: int
    reference_time: ReferenceTime | None = None
    delays: tuple[DelaySinceReference, ...] = ()
    voip_metrics: tuple[VoipMetrics, ...] = ()
    unknown: int = field(default=0, compare=False)
    malformed: int = field(default=0, compare=False)

    def serialize_body(self) -> bytes:
        """Return what follows the common header of RTCP packets."""
        body = _SSRC.pack(self.ssrc)
        if self.reference_time is not None:
            body += _framed(_REFERENCE_TIME, _NTP.pack(self.reference_time.ntp))
        if self.delays:
            delays = (_DELAY.pack(delay.ssrc, delay.last_rr, delay.delay) for delay in self.delays)
            body += _framed(_DELAYS, b"".join(delays))
        for metrics in self.voip_metrics:
            body += _framed(_VOIP_METRICS, _voip_bytes(metrics))
        return body


def _framed(kind: int, block: bytes) -> bytes:
    return _BLOCK_HEADER.pack(kind, 0, len(block) // 4) + block


def _voip_bytes(metrics: VoipMetrics) -> bytes:
    values = [getattr(metrics, name) for name in VoipMetrics.__slots__]
    # The octet behind the receiver's configuration is reserved.
    return _VOIP.pack(*values[:18], 0, *values[18:])


def parse_extended_report(body: bytes) -> ExtendedReport:
    """Return the blocks in ``body``, which is a packet without its common header.

    Blocks of another kind are counted, and so is one of a wrong size, which ends the reading.
    Raises ``struct.error`` when not even the sender is there.
    """
    (ssrc,) = _SSRC.unpack_from(body)
    reference_time: ReferenceTime | None = None
    delays: list[DelaySinceReference] = []
    voip: list[VoipMetrics] = []
    unknown = malformed = 0
    offset = _SSRC.size
    while offset < len(body):
        if len(body) - offset < _BLOCK_HEADER.size:
            malformed += 1
            break
        kind, _, words = _BLOCK_HEADER.unpack_from(body, offset)
        start, offset = offset + _BLOCK_HEADER.size, offset + 4 * (words + 1)
        block = body[start:offset]
        if offset > len(body) or not _fits(kind, len(block)):
            malformed += 1
            break
        if kind == _REFERENCE_TIME:
            reference_time = ReferenceTime(*_NTP.unpack(block))
        elif kind == _DELAYS:
            delays += [DelaySinceReference(*entry) for entry in _DELAY.iter_unpack(block)]
        elif kind == _VOIP_METRICS:
            values = _VOIP.unpack(block)
            voip.append(VoipMetrics(*values[:18], *values[19:]))
        else:
            unknown += 1
    return ExtendedReport(ssrc, reference_time, tuple(delays), tuple(voip), unknown, malformed)


def _fits(kind: int, size_bytes: int) -> bool:
    if kind == _REFERENCE_TIME:
        return size_bytes == _NTP.size
    if kind == _DELAYS:
        return size_bytes % _DELAY.size == 0
    return kind != _VOIP_METRICS or size_bytes == _VOIP.size
