"""One RTP port of one leg: who may send to it, what the packets are, frames of our ptime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from telephony.audio.comfort_noise import level_dbfs
from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.base.serial import add32, diff32
from telephony.rtp.framer import GAP, LOST, Absence, Framer
from telephony.rtp.jitter import JitterBuffer
from telephony.rtp.packet import RtpPacket, RtpParseError, parse_packet
from telephony.rtp.packetizer import Packetizer
from telephony.rtp.payload_format import PLAIN_CLOCK_RATE_HZ
from telephony.rtp.payload_types import AUDIO, COMFORT_NOISE, TELEPHONE_EVENT, PayloadTypes
from telephony.rtp.probation import HeldPacket
from telephony.rtp.quiet import is_quiet
from telephony.rtp.session_config import RtpSessionConfig, SessionStats
from telephony.rtp.source import (
    Address,
    SourceChangeRefused,
    SourceLatched,
    SourcePolicy,
    SsrcChanged,
)
from telephony.rtp.srtp import SrtpSession
from telephony.rtp.stats import RtpStats

_TELEPHONE_EVENTS_MAX = 64
_EVENTS_MAX = 64
_SSRC_SILENCE_S = 0.06
_CANDIDATES_MAX = 8


__all__ = [
    "GAP",
    "LOST",
    "Absence",
    "RtpSession",
    "RtpSessionConfig",
    "SessionStats",
    "SsrcChanged",
]

RtpEvent = SourceLatched | SourceChangeRefused | SsrcChanged


class RtpSession:
    """Receives datagrams, gives one frame per ptime, numbers what we send.

    After :meth:`receive_datagram` drain ``telephone_events`` and ``events`` (both usually empty
    lists). Nothing a peer sends raises.

    With SRTP (:meth:`use_srtp`) packets are authenticated before anything else is done with
    them, and sent encrypted.
    """

    def __init__(self, config: RtpSessionConfig, ids: Ids, now: float) -> None:
        self.stats = SessionStats()
        self.events: list[RtpEvent] = []
        self.telephone_events: list[RtpPacket] = []
        self.last_received_at: float | None = None
        self.on_rtcp: Callable[[bytes, Address, float], None] | None = None
        # Of the noise that the peer wants heard while it is silent (RFC 3389).
        self.comfort_noise_dbfs: float | None = None
        self._clock_rate_hz = config.clock_rate_hz
        self._frame_samples = config.clock_rate_hz * config.ptime_ms // 1000
        self._source = SourcePolicy(
            config.remote, config.latch, now, signalling_host=config.signalling_host
        )
        self._srtp: SrtpSession | None = None
        jitter = replace(config.jitter, ptime_ms=config.ptime_ms)
        self.jitter = JitterBuffer(jitter, config.clock_rate_hz, self._is_quiet)
        self._formats = config.formats
        self._encodings: dict[int, str] = {}
        self.framer = Framer(self.jitter, self._frame_samples, config.formats, config.clock_rate_hz)
        self.reception = RtpStats(config.clock_rate_hz)
        self._lost_before = 0
        self._ssrc: int | None = None
        self._candidates: list[HeldPacket] = []
        self._event_timestamp: int | None = None
        self._event_samples = 0
        self._ended_event_timestamp: int | None = None
        # RFC 3711 section 3.3.1: a sequence that begins in the lower half does not wrap before
        # a receiver that missed its beginning has counted along.
        self._packetizer = Packetizer(
            config.send_payload_type, ids.uint32(), ids.uint16() & 0x7FFF, ids.uint32()
        )
        self._talkspurt_starts = True
        self._sent_event_timestamp = 0
        self.change_payload_types(
            config.audio_payload_types,
            config.send_payload_type,
            config.telephone_event_payload_type,
            config.send_encoding,
            config.event_clock_rate_hz,
        )

    # Negotiation

    def change_payload_types(
        self,
        audio: dict[int, str],
        send: int,
        telephone_event: int | None,
        send_encoding: str = "",
        event_clock_rate_hz: int = PLAIN_CLOCK_RATE_HZ,
    ) -> None:
        """Take the payload types of a new offer/answer; the stream goes on.

        ``send_encoding`` is what ``send`` stands for with the peer. Timestamps go on from the last
        one when its clock is another.
        """
        types = PayloadTypes(audio, telephone_event, self._formats, self._clock_rate_hz)
        self._kinds = types.kinds
        self._clocks = types.clocks(self._frame_samples)
        self._event_scale = self._clock_rate_hz // event_clock_rate_hz
        self._types = types
        self._sent_samples = self._frame_samples // types.scale_of(send_encoding)
        # What is in the jitter buffer still is what it was.
        self._encodings = {**self._encodings, **types.encodings}
        self.framer.change_encodings(self._encodings)
        self._telephone_event_payload_type = telephone_event
        self._packetizer.payload_type = send

    def change_remote(self, address: Address | None, now: float) -> None:
        """Take the address of a new offer/answer; ``None`` stops sending (hold).

        An address that differs from the one signalled before allows one latch again; the same
        address keeps what was latched, so that a session refresh does not cut the audio.
        """
        self._source.change_remote(address, now)

    def use_srtp(self, srtp: SrtpSession | None) -> None:
        """Protect both directions from now on; ``None``: plain RTP."""
        self._srtp = srtp

    @property
    def remote(self) -> Address | None:
        """Where to send: the latched source, else the signalled address."""
        return self._source.remote

    @property
    def source(self) -> SourcePolicy:
        return self._source

    # Receiving

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram that arrived at ``now``."""
        if len(data) < 12 or data[0] & 0xC0 != 0x80 or 192 <= data[1] <= 223:
            self._receive_other(data, source, now)
            return
        accepted = source == self._source.current
        if not accepted and not self._source.may_send(source, now):
            self._refuse(source)
            return
        kind = self._kinds[data[1] & 0x7F]
        if not kind:
            self.stats.unknown_payload_type += 1
            return
        if self._srtp is not None:
            plain = self._srtp.unprotect(data, now)
            if plain is None:
                return
            data = plain
        try:
            packet = parse_packet(data)
        except RtpParseError:
            self.stats.malformed += 1
            return
        if packet.payload_type in self._clocks:
            self._clocks[packet.payload_type].adjust(packet)
        if accepted or self._accept(source, packet, kind, now):
            self._receive_packet(packet, kind, now)

    def _accept(self, source: Address, packet: RtpPacket, kind: int, now: float) -> bool:
        """Take a source that may be the peer's, and what it sent before ``packet``, if it is."""
        held = [] if self._srtp is not None else self._source.prove(source, packet, kind, now)
        if held is None:
            self.stats.on_probation += 1
            return False
        if self._source.accept(source):
            self._report(SourceLatched(source))
        if packet.ssrc != self._ssrc and self._ssrc is not None:
            self._follow_ssrc(packet.ssrc)
        for earlier in held[:-1]:
            self.stats.on_probation -= 1
            self._receive_packet(*earlier)
        return True

    def _receive_packet(self, packet: RtpPacket, kind: int, now: float) -> None:
        if packet.ssrc != self._ssrc and not self._admit_ssrc(packet, kind, now):
            return
        if self._candidates:
            self._candidates.clear()
        self.last_received_at = now
        stats = self.stats
        stats.received += 1
        stats.received_bytes += len(packet.payload)
        if kind == AUDIO and packet.payload and self._event_timestamp is None:
            self.reception.receive(packet.sequence_number, packet.timestamp, now)
            self.jitter.push(packet, now)
        else:
            self._receive_unusual(packet, kind, now)

    def _receive_unusual(self, packet: RtpPacket, kind: int, now: float) -> None:
        """Take a packet without audio, or audio while a telephone-event lasts."""
        if kind == AUDIO and packet.payload:
            self.reception.receive(packet.sequence_number, packet.timestamp, now)
            if self._is_muted(packet):
                self.stats.muted += 1
                self.jitter.push_silence(packet)
            else:
                self._event_timestamp = None
                self.jitter.push(packet, now)
            return
        self.reception.receive_sequence(packet.sequence_number)
        self.jitter.push_silence(packet)
        if kind == TELEPHONE_EVENT:
            self._receive_telephone_event(packet)
        elif kind == COMFORT_NOISE:
            self.stats.comfort_noise += 1
            self.comfort_noise_dbfs = level_dbfs(packet.payload)
        else:
            self.stats.empty += 1

    def _receive_telephone_event(self, packet: RtpPacket) -> None:
        self.stats.telephone_events += 1
        if len(packet.payload) >= 4:
            self._follow_event(packet)
        if len(self.telephone_events) < _TELEPHONE_EVENTS_MAX:
            self.telephone_events.append(packet)
        else:
            self.stats.telephone_events_dropped += 1

    def _follow_event(self, packet: RtpPacket) -> None:
        """Note how long the event lasts; an update that comes after its end changes nothing."""
        if packet.payload[1] & 0x80:
            self._event_timestamp = None
            self._ended_event_timestamp = packet.timestamp
        elif packet.timestamp != self._ended_event_timestamp:
            scale = self._event_scale
            self._event_timestamp = packet.timestamp * scale & 0xFFFF_FFFF
            self._event_samples = int.from_bytes(packet.payload[2:4]) * scale

    def _is_muted(self, packet: RtpPacket) -> bool:
        """Tell whether audio belongs to the digit that a telephone-event already carries."""
        assert self._event_timestamp is not None
        into_event = diff32(packet.timestamp, self._event_timestamp)
        return -self._frame_samples < into_event < self._event_samples + 2 * self._frame_samples

    def _receive_other(self, data: bytes, source: Address, now: float) -> None:
        """Count what shares the port with RTP (RFC 7983, RFC 5761 section 4)."""
        if len(data) >= 8 and data[0] & 0xC0 == 0x80 and 192 <= data[1] <= 223:
            self.stats.rtcp += 1
            if self.on_rtcp is not None:
                self.on_rtcp(data, source, now)
        elif len(data) >= 20 and data[0] < 4:
            self.stats.stun += 1
        else:
            self.stats.malformed += 1

    def _refuse(self, source: Address) -> None:
        self.stats.refused_source += 1
        if self._source.refuse(source):
            self._report(SourceChangeRefused(source))

    def _report(self, event: RtpEvent) -> None:
        if len(self.events) < _EVENTS_MAX:
            self.events.append(event)

    def _admit_ssrc(self, packet: RtpPacket, kind: int, now: float) -> bool:
        """Follow a new SSRC at its second packet in a row, once the one before fell silent.

        So two do not alternate, and a stream injected into a living one is not heard. What came
        of the new one meanwhile is held.
        """
        if self._ssrc is None:
            self._ssrc = packet.ssrc
            return True
        candidates = self._candidates
        if candidates and candidates[0][0].ssrc != packet.ssrc:
            candidates.clear()
        candidates.append((packet, kind, now))
        self.stats.foreign_ssrc += 1
        heard_at = self.last_received_at
        lives = heard_at is not None and now - heard_at < _SSRC_SILENCE_S
        if lives or len(candidates) < 2:
            del candidates[:-_CANDIDATES_MAX]
            return False
        self._follow_ssrc(packet.ssrc)
        earlier = candidates[:-1]
        self.stats.foreign_ssrc -= len(candidates)
        for held in earlier:
            self._receive_packet(*held)
        return True

    def _follow_ssrc(self, ssrc: int) -> None:
        assert self._ssrc is not None
        self._report(SsrcChanged(self._ssrc, ssrc))
        self.stats.ssrc_changes += 1
        self._lost_before += self.reception.lost
        self.reception = RtpStats(self._clock_rate_hz)
        self._ssrc = ssrc
        self._event_timestamp = None
        self.comfort_noise_dbfs = None

    @property
    def ssrc(self) -> int | None:
        """The SSRC of the peer."""
        return self._ssrc

    @property
    def lost(self) -> int:
        """Packets expected and not received, over all SSRCs of the session."""
        return self._lost_before + self.reception.lost

    # Frames

    @property
    def received_payload_type(self) -> int | None:
        """The payload type of the last frame that :meth:`pop_frame` returned."""
        return self.framer.payload_type

    @property
    def received_encoding(self) -> str | None:
        """The encoding of the last frame that :meth:`pop_frame` returned."""
        payload_type = self.framer.payload_type
        return None if payload_type is None else self._encodings.get(payload_type)

    @property
    def received_scale(self) -> int:
        """How many ticks of our clock one of the clock of ``received_encoding`` is."""
        return self._types.scale_of(self.received_encoding or "")

    @property
    def sent_clock_rate_hz(self) -> int:
        """The clock of the timestamps that we send."""
        return self._clock_rate_hz * self._sent_samples // self._frame_samples

    def pop_frame(self, now: float) -> bytes | Absence | None:
        """Return one ptime of audio in ``received_encoding``; called once per ptime.

        It is less before there is none. ``LOST``: conceal what ``framer`` knows of it. ``GAP``:
        the sender is silent, fill. ``None``: nothing has come, or nothing in time; conceal too, a
        concealer fades out by itself. An encoding with a decoder comes as 16-bit PCM.
        """
        return self.framer.pop(now)

    def _is_quiet(self, packet: RtpPacket) -> bool:
        return is_quiet(packet.payload, self._encodings.get(packet.payload_type, ""))

    # Sending

    def packetize(self, payload: bytes, marker: bool = False, share: int = 1) -> bytes:
        """Return the datagram for one ptime of audio, or for one of ``share`` parts of it.

        The first of a talkspurt is marked.
        """
        if self._talkspurt_starts:
            self._talkspurt_starts = False
            marker = True
        data = self._packetizer.packetize(payload, self._sent_samples // share, marker)
        return data if self._srtp is None else self._srtp.protect(data)

    def packetize_telephone_event(
        self, payload: bytes, start: bool = False, advance_samples: int = 0
    ) -> bytes:
        """Return the datagram for a telephone-event, sent once per ptime instead of audio.

        ``advance_samples`` begins a further segment of the event (RFC 4733 section 2.5.1.3).
        """
        packetizer = self._packetizer
        if start:
            self._sent_event_timestamp = packetizer.timestamp
        elif advance_samples:
            self._sent_event_timestamp = add32(self._sent_event_timestamp, advance_samples)
        payload_type = self._telephone_event_payload_type
        if payload_type is None:
            raise LocalProtocolError("telephone-event was not negotiated")
        packetizer.advance(self._sent_samples)
        self._talkspurt_starts = True
        data = packetizer.packetize_event(payload, payload_type, self._sent_event_timestamp, start)
        return data if self._srtp is None else self._srtp.protect(data)

    def skip_frame(self) -> None:
        """Let one ptime pass in which nothing is sent."""
        self._packetizer.advance(self._sent_samples)
        self._talkspurt_starts = True

    @property
    def sending(self) -> Packetizer:
        """Our stream, to be read: its SSRC, where it is, how much was sent."""
        return self._packetizer
