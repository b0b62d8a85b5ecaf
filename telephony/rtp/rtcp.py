"""RTCP of one leg (RFC 3550 section 6): reports out and in, and the goodbye.

After any call read ``next_timer``; when it is due, ``handle_timer(now)`` may return a datagram for
``destination``.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from telephony.base.ids import Ids
from telephony.rtp.rtcp_interval import Members, RtcpInterval
from telephony.rtp.rtcp_packet import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    RtcpParseError,
    SenderReport,
    SourceDescription,
    parse_compound,
    serialize_compound,
)
from telephony.rtp.rtcp_peer import PeerReports
from telephony.rtp.rtcp_source import RtcpSource
from telephony.rtp.rtcp_xr import DelaySinceReference, ExtendedReport
from telephony.rtp.session import RtpSession
from telephony.rtp.source import Address
from telephony.rtp.srtp import SrtpSession

_NTP_OF_1970 = 2_208_988_800
_CNAME_BYTES = 12
_SOURCES_REMEMBERED = 4


@dataclass(frozen=True, slots=True)
class RtcpConfig:
    """``interval_s`` is the mean time between reports.

    ``epoch_s`` is the Unix time at ``now == 0``; it dates sender reports.
    """

    interval_s: float = 5.0
    epoch_s: float = 0.0


@dataclass(slots=True)
class RtcpStats:
    """Datagrams in and out, and what of them was of no use.

    ``refused_source``, ``unauthenticated`` and ``malformed`` datagrams are none of the ``received``
    ones; of these ``malformed_packets``, ``unknown_packets`` and ``unknown_blocks`` could not be
    read. ``own_ssrc`` counts packets under our own SSRC: a collision or, more often, an echo.
    """

    received: int = 0
    sent: int = 0
    refused_source: int = 0
    unauthenticated: int = 0
    malformed: int = 0
    malformed_packets: int = 0
    unknown_packets: int = 0
    unknown_blocks: int = 0
    own_ssrc: int = 0
    foreign_reports: int = 0
    goodbyes: int = 0


class RtcpSession:
    """Reports on the stream of ``rtp``, and takes what the peer reports.

    Nothing that a peer sends raises. A goodbye of the peer is noted (:attr:`peer_left`), and ends
    nothing: that is up to signalling. Our SSRC stays when the peer uses it too: whoever sends our
    own packets back would make us change it for ever.
    """

    def __init__(self, rtp: RtpSession, config: RtcpConfig, ids: Ids, now: float) -> None:
        self.stats = RtcpStats()
        self.source = RtcpSource(rtp.source)
        self.peer = PeerReports(rtp.sending, rtp.sent_clock_rate_hz)
        self.peer_left = False
        self.cname = _random_cname(ids)
        self._rtp = rtp
        self._epoch_s = config.epoch_s
        self._ssrc = rtp.sending.ssrc
        self._interval = RtcpInterval(config.interval_s, ids, now)
        self._srtp: SrtpSession | None = None
        self._sender_reports: dict[int, tuple[int, float]] = {}
        self._reference_time: tuple[int, int, float] | None = None
        # As of the last report and the one before: who sent since then is a sender.
        self._sent_before = (0, 0)
        self._received_before = (0, 0)
        self._reported = (0, 0)
        self._said_goodbye = False

    def change_remote(self, address: Address | None, mux: bool) -> None:
        """Take where the peer receives RTCP now; ``None``: nowhere.

        With ``mux`` that is where its RTP goes (RFC 5761).
        """
        self.source.change_remote(address, mux)

    def change_peer(self) -> None:
        """Take note that somebody else may answer from now on."""
        self.peer.change_peer()
        self.peer_left = False

    def use_srtp(self, srtp: SrtpSession | None) -> None:
        """Protect both directions from now on (SRTCP); ``None``: plain RTCP."""
        self._srtp = srtp

    @property
    def destination(self) -> Address | None:
        return self.source.destination

    # Receiving

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram that came to the port of RTCP, or that of RTP."""
        stats = self.stats
        if not self.source.may_send(source):
            stats.refused_source += 1
            return
        if self._srtp is not None:
            plain = self._srtp.unprotect_rtcp(data, now)
            if plain is None:
                stats.unauthenticated += 1
                return
            data = plain
        try:
            compound = parse_compound(data)
        except RtcpParseError:
            stats.malformed += 1
            return
        self.source.accept(source)
        stats.received += 1
        stats.unknown_packets += compound.unknown
        stats.malformed_packets += compound.malformed
        self._interval.packet_seen(len(data))
        for packet in compound.packets:
            self._receive(packet, now)

    def _receive(self, packet: RtcpPacket, now: float) -> None:
        if isinstance(packet, SourceDescription):
            return
        if isinstance(packet, Goodbye):
            self._receive_goodbye(packet)
        elif packet.ssrc == self._ssrc:
            self.stats.own_ssrc += 1
        elif isinstance(packet, ExtendedReport):
            self._receive_extended(packet, now)
        else:
            if isinstance(packet, SenderReport):
                self._remember(packet, now)
            self._receive_blocks(packet.blocks, now)

    def _remember(self, report: SenderReport, now: float) -> None:
        """Keep the time of a sender report, which ours will say back."""
        known = self._sender_reports
        known.pop(report.ssrc, None)
        known[report.ssrc] = (report.ntp >> 16 & 0xFFFF_FFFF, now)
        if len(known) > _SOURCES_REMEMBERED:
            del known[next(iter(known))]

    def _receive_blocks(self, blocks: tuple[ReportBlock, ...], now: float) -> None:
        for block in blocks:
            if block.ssrc == self._ssrc:
                self.peer.clock_rate_hz = self._rtp.sent_clock_rate_hz
                self.peer.receive(block, now)
            else:
                self.stats.foreign_reports += 1

    def _receive_extended(self, report: ExtendedReport, now: float) -> None:
        self.stats.unknown_blocks += report.unknown
        self.stats.malformed_packets += report.malformed
        if report.reference_time is not None:
            middle = report.reference_time.ntp >> 16 & 0xFFFF_FFFF
            self._reference_time = (report.ssrc, middle, now)
        for metrics in report.voip_metrics:
            if metrics.ssrc == self._ssrc:
                self.peer.voip = metrics

    def _receive_goodbye(self, goodbye: Goodbye) -> None:
        if self._ssrc in goodbye.ssrcs:
            self.stats.own_ssrc += 1
        elif self._rtp.ssrc is None or self._rtp.ssrc in goodbye.ssrcs:
            self.peer_left = True
            self.stats.goodbyes += 1

    # Sending

    @property
    def next_timer(self) -> float:
        return self._interval.due_at

    def handle_timer(self, now: float) -> bytes | None:
        """Return a report if one is due, for :attr:`destination`."""
        if now < self._interval.due_at:
            return None
        members = self._members()
        if not self._interval.is_over(members, now):
            return None
        report = None if self.destination is None else self._report(members, now)
        self._sent_before = (self._sent_before[1], self._rtp.sending.packets_sent)
        self._received_before = (self._received_before[1], self._rtp.stats.received)
        self._interval.restart(members, now)
        return report

    def goodbye(self, now: float) -> bytes | None:
        """Return the last datagram, once; ``None`` if we never sent anything (section 6.3.7)."""
        unheard = not self.stats.sent and not self._rtp.sending.packets_sent
        if self._said_goodbye or unheard or self.destination is None:
            return None
        self._said_goodbye = True
        return self._report(self._members(), now, Goodbye((self._ssrc,)))

    def _members(self) -> Members:
        rtp = self._rtp
        we_send = rtp.sending.packets_sent > self._sent_before[0]
        peer_sends = rtp.stats.received > self._received_before[0]
        peer_there = (peer_sends or self.stats.received > 0) and not self.peer_left
        senders = int(we_send) + int(peer_sends and peer_there)
        return Members(1 + int(peer_there), senders, we_send)

    def _report(self, members: Members, now: float, *more: RtcpPacket) -> bytes:
        sending, blocks = self._rtp.sending, self._blocks(now)
        packets: list[RtcpPacket] = []
        if members.we_send:
            ntp = self._ntp(now)
            self.peer.report_sent(ntp, now)
            packets.append(
                SenderReport(
                    self._ssrc,
                    ntp,
                    sending.timestamp,
                    sending.packets_sent,
                    sending.payload_bytes_sent,
                    blocks,
                )
            )
        else:
            packets.append(ReceiverReport(self._ssrc, blocks))
        packets.append(SourceDescription(((self._ssrc, self.cname),)))
        data = serialize_compound([*packets, *self._delays(now), *more])
        self.stats.sent += 1
        self._interval.packet_seen(len(data))
        return data if self._srtp is None else self._srtp.protect_rtcp(data)

    def _blocks(self, now: float) -> tuple[ReportBlock, ...]:
        """Return what we report of the peer's stream, if it went on since the last report."""
        ssrc, reception = self._rtp.ssrc, self._rtp.reception
        if ssrc is None or (ssrc, reception.received) == self._reported:
            return ()
        self._reported = (ssrc, reception.received)
        last_sr, came_at = self._sender_reports.get(ssrc, (0, now))
        block = ReportBlock(
            ssrc,
            min(int(reception.take_fraction_lost() * 256), 255),
            reception.lost,
            reception.extended_highest_sequence & 0xFFFF_FFFF,
            min(int(reception.jitter_samples / self._rtp.received_scale), 0xFFFF_FFFF),
            last_sr,
            _delay_since(came_at, now),
        )
        return (block,)

    def _delays(self, now: float) -> tuple[ExtendedReport, ...]:
        """Answer a receiver that asks how far away we are (RFC 3611 section 4.5), once each."""
        asked, self._reference_time = self._reference_time, None
        if asked is None:
            return ()
        ssrc, last_rr, came_at = asked
        delay = DelaySinceReference(ssrc, last_rr, _delay_since(came_at, now))
        return (ExtendedReport(self._ssrc, delays=(delay,)),)

    def _ntp(self, now: float) -> int:
        seconds = now + self._epoch_s + _NTP_OF_1970
        whole = int(seconds)
        return (whole & 0xFFFF_FFFF) << 32 | int((seconds - whole) * 0x1_0000_0000)


def _delay_since(came_at: float, now: float) -> int:
    return min(int((now - came_at) * 65536), 0xFFFF_FFFF)


def _random_cname(ids: Ids) -> str:
    """Return a name for one call that says nothing about us (RFC 7022 section 4.2)."""
    return base64.b64encode(bytes.fromhex(ids.token(_CNAME_BYTES))).decode()
