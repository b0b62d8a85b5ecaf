"""A leg's media on our own RTP plane: socket, session, concealment, pacing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from telephony.audio.codecs import FACES
from telephony.audio.format import AudioFormat, Codec
from telephony.audio.frame_converter import Face
from telephony.audio.processing import ProcessingConfig
from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.base.interfaces import Address, Clock, Encoding, MediaSink, MediaStats
from telephony.dtmf.event_packets import EventPacket
from telephony.net.pacer import Pacer, Slot
from telephony.net.port_pool import PortPool
from telephony.net.rtp_endpoint import OpenEndpoint, open_endpoint
from telephony.rtp.heard import HeardAudio
from telephony.rtp.session import RtpSession
from telephony.rtp.srtp import SrtpKey, SrtpSession, SrtpStats
from telephony.rtp.tick_phase import TickPhase
from telephony.sdp.keying import SrtpKeys
from telephony.sdp.offer_answer import NegotiatedMedia
from telephony.stacks.digit_sender import OnSent
from telephony.stacks.media_config import MediaConfig, MediaHost, advertised_address
from telephony.stacks.media_counters import count_media
from telephony.stacks.media_digits import DigitRoute, MediaDigits
from telephony.stacks.media_quality import add_quality
from telephony.stacks.processed_sink import processed
from telephony.stacks.rtp_control import RtpControl
from telephony.stacks.session_setup import session_config
from telephony.stacks.wire_codec import WireCodec, packets_per_frame

__all__ = ["MediaConfig", "MediaHost", "MediaPlane", "RtpMedia"]

MAX_CATCH_UP_FRAMES = 50
"""How much of the caller's time is made up for after a stall; the rest is gone."""


@dataclass(frozen=True, slots=True)
class MediaPlane:
    """What the legs of one process share; ``open_endpoint`` opens the sockets of their media."""

    config: MediaConfig
    loop: asyncio.AbstractEventLoop
    ports: PortPool
    pacer: Pacer
    clock: Clock
    ids: Ids
    open_endpoint: OpenEndpoint = open_endpoint


class RtpMedia:
    """One leg's media, from its open port to its last packet.

    The sink sees one encoding for the whole call, the one negotiated first; when a re-INVITE or
    the peer changes the codec on the wire, frames are translated here.

    A fault while a packet or a frame is handled closes the media and goes to ``on_error``.

    ``media_host`` is where the peer's media is expected, as far as known when the port is opened;
    it decides on the IP version. ``signalling_host`` is where its SIP messages come from, and may
    send media too (see :data:`telephony.rtp.source.LatchPolicy`). ``digits`` says how digits
    travel, ``codec`` what the leg would like best.
    """

    def __init__(
        self,
        plane: MediaPlane,
        on_digit: Callable[[str], None],
        on_error: Callable[[Exception], None],
        *,
        media_host: str = "",
        signalling_host: str = "",
        digits: DigitRoute | None = None,
        codec: Codec | None = None,
        processing: ProcessingConfig = ProcessingConfig(),  # noqa: B008 - frozen
    ) -> None:
        self._plane = plane
        self._processing = processing
        self._on_error = on_error
        self._signalling_host = signalling_host
        self._place = plane.config.host_towards(media_host or signalling_host)
        self._endpoint = plane.open_endpoint(
            plane.loop, plane.ports, self._place.host, self._received, plane.clock
        )
        self._control = RtpControl(
            plane.config.rtcp, self._endpoint, plane.clock, plane.ids, self._fail
        )
        self._session: RtpSession | None = None
        self._srtp: SrtpSession | None = None
        self._srtp_stats = SrtpStats()
        self._negotiated: NegotiatedMedia | None = None
        self._wire = WireCodec(codec or plane.config.codecs[0], plane.config.ptime_ms)
        self._face_kept = False
        self._sink: MediaSink | None = None
        self._slot: Slot | None = None
        self._skipped = 0
        self._packets_per_frame = 1
        self._phase = TickPhase(plane.pacer.sub_tick_ms)
        self._digits = MediaDigits(plane.config, on_digit, digits)
        self._heard: HeardAudio | None = None
        self._show(FACES[self._wire.codec])
        self._talking = False
        self._held = False
        self._caller_away = False
        self._may_send = True

    @property
    def port(self) -> int:
        return self._endpoint.local[1]

    def address_towards(self, peer_host: str) -> str:
        """Return the address that SDP tells the peer; raises OSError without a route to it."""
        return advertised_address(self._place, peer_host, self.port)

    @property
    def codec(self) -> str:
        """What is sent; the peer may send another of those agreed on."""
        return self._wire.codec

    @property
    def encoding(self) -> Encoding:
        return self._face.format.encoding

    @property
    def sample_rate_hz(self) -> int:
        return self._face.format.sample_rate_hz

    @property
    def ptime_ms(self) -> int:
        return self._plane.config.ptime_ms

    @property
    def last_received_at(self) -> float | None:
        return self._session.last_received_at if self._session else None

    @property
    def caller_away(self) -> bool:
        """True while nothing of the caller is to be expected: on hold, or only listening."""
        return self._caller_away

    # Negotiation

    def keep_encoding(self) -> None:
        """Let the sink see the encoding shown now, whatever is negotiated later."""
        self._face_kept = True

    def adopt_encoding(self, encoding: Encoding, sample_rate_hz: int) -> None:
        """Show the sink this encoding, whatever is negotiated; raises LocalProtocolError.

        Only before :meth:`start`, and only frames that one of the codecs has.
        """
        wanted = AudioFormat(encoding, sample_rate_hz)
        face = next((face for face in FACES.values() if face == wanted), None)
        if face is None:
            raise LocalProtocolError(f"no leg can show {encoding} at {sample_rate_hz} Hz")
        if self._sink is not None and face is not self._face.format:
            raise LocalProtocolError("the sink already gets another encoding")
        self._show(face)
        self._face_kept = True
        media = self._negotiated
        if media is not None:
            self._wire.change(media.encoding, media.send_parameters, face)
            self._digits.negotiated(media, face, media.event_clock_rate_hz)

    def _show(self, face: AudioFormat) -> None:
        self._face = Face(face, self.ptime_ms)
        self._silence = face.silence(face.frame_bytes(self.ptime_ms))
        if self._heard is not None:
            self._heard.show(self._face)

    def negotiated(self, media: NegotiatedMedia) -> None:
        """Take the outcome of an offer/answer, the first one or a later one.

        Also before the answer: that of an 18x, of another fork, or of the 200 that follows.
        """
        now = self._plane.clock()
        remote = None if media.hold else media.remote
        session = self._session
        if session is None:
            if not self._face_kept:
                self._show(FACES[media.encoding])
            self._session = session = self._open_session(media, now)
            self._heard = HeardAudio(session, FACES, self._face, self.ptime_ms)
        else:
            session.change_payload_types(
                media.receive_payload_types,
                media.send_payload_type,
                media.telephone_event_payload_type,
                media.encoding,
                media.event_clock_rate_hz,
            )
            session.change_remote(remote, now)
            assert self._heard is not None
            self._heard.renegotiated()
        self._wire.change(media.encoding, media.send_parameters, self._face.format)
        self._use_keys(session, media.srtp, now)
        self._control.negotiated(session, media, self._srtp if media.srtp else None, now)
        self._digits.negotiated(media, self._face.format, media.event_clock_rate_hz)
        self._packets_per_frame = packets_per_frame(
            media.encoding, self.ptime_ms, media.max_ptime_ms
        )
        self._negotiated = media
        self._held = media.hold
        self._caller_away = media.hold or media.direction in ("sendonly", "inactive")
        self._may_send = not media.hold and media.direction in ("sendrecv", "sendonly")

    def _use_keys(self, session: RtpSession, keys: SrtpKeys | None, now: float) -> None:
        """Protect the session with ``keys``; contexts whose keys are still in use go on."""
        if keys is not None:
            send = SrtpKey(keys.suite, keys.send_key)
            receive = SrtpKey(
                keys.suite,
                keys.receive_key,
                keys.receive_mki,
                keys.receive_lifetime_packets,
                keys.replay_window_packets,
            )
            if self._srtp is None:
                self._srtp = SrtpSession(send, receive, self._srtp_stats)
            else:
                self._srtp.change_keys(send, receive, now)
        session.use_srtp(None if keys is None else self._srtp)

    def _open_session(self, media: NegotiatedMedia, now: float) -> RtpSession:
        config = session_config(self._plane.config, media, self._signalling_host)
        return RtpSession(config, self._plane.ids, now)

    # Life

    def start(self, sink: MediaSink) -> None:
        """Begin to exchange frames with ``sink``, once a ptime."""
        if self._session is None:
            raise LocalProtocolError("media was not negotiated")
        self._sink = processed(sink, self._processing, self._face.format, self.ptime_ms)
        if self._slot is None and not self._endpoint.closed:
            self._slot = self._plane.pacer.add(self._tick, self._plane.config.ptime_ms)

    def close(self) -> None:
        """Stop, and give the port back. Twice is harmless."""
        if self._slot is not None:
            self._plane.pacer.remove(self._slot)
            self._slot = None
        self._control.close()
        self._endpoint.close()
        self._digits.close()

    def send_digits(self, digits: str, on_sent: OnSent | None = None) -> None:
        if self._endpoint.closed:
            raise LocalProtocolError("the call is over")
        self._digits.send(digits, on_sent)

    # Packets in

    def _received(self, data: bytes, source: Address, now: float) -> None:
        session = self._session
        if session is None:
            return
        try:
            session.receive_datagram(data, source, now)
            if session.telephone_events:
                self._digits.receive(session, now)
            if session.events:
                # Sources and SSRCs are counted in the session's statistics.
                session.events.clear()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.close()
        self._on_error(error)

    # Once a ptime

    def _tick(self, now: float) -> None:
        session, sink, slot = self._session, self._sink, self._slot
        if session is None or sink is None or slot is None:
            return
        try:
            if slot.skipped != self._skipped:
                self._catch_up(session, sink, slot, now)
            elif not session.jitter.packets_held:
                # Timers run before sockets are read: if the loop is late, what is due lies there.
                self._endpoint.read_pending(MAX_CATCH_UP_FRAMES)
            if now >= self._control.due_at:
                self._control.send_report(now)
            sink.hear(self._next_heard(session, now), now)
            if self._digits.sending and self._may_send and session.remote is not None:
                self._send_digit(session)
            else:
                # Nobody listens to a held call: what there is to say waits.
                self._send(session, sink.speak(now) if self._may_send else None)
            if session.jitter.reviewed:
                self._follow_sender(session, slot, now)
        except Exception as error:
            self._fail(error)

    def _follow_sender(self, session: RtpSession, slot: Slot, now: float) -> None:
        """Move the ticks to where the peer's packets come, from time to time."""
        jitter = session.jitter
        jitter.reviewed = False
        if self._plane.config.jitter.follow_sender and not self._held:
            speaking = self._talking or self._digits.sending
            wanted_ms = self._phase.wanted_ms(jitter.surplus_ms, self.ptime_ms, speaking, now)
            if wanted_ms:
                self._phase.shifted(self._plane.pacer.shift(slot, wanted_ms))

    def _catch_up(self, session: RtpSession, sink: MediaSink, slot: Slot, now: float) -> None:
        """After a stall: the caller's time is made up for, ours is skipped (RFC 3550 5.1).

        Timers run before sockets are read: what the caller sent meanwhile still lies there.
        """
        self._endpoint.read_pending(MAX_CATCH_UP_FRAMES)
        for _ in range(min(slot.skipped - self._skipped, MAX_CATCH_UP_FRAMES)):
            sink.hear(self._next_heard(session, now), now)
        for _ in range(slot.skipped - self._skipped):
            session.skip_frame()
        self._skipped = slot.skipped

    def _next_heard(self, session: RtpSession, now: float) -> bytes:
        """Return the caller's next frame in the sink's encoding, without tones of keys."""
        return self._digits.hear(self._next_frame(session, now), self._silence, now)

    def _next_frame(self, session: RtpSession, now: float) -> bytes:
        """Return the caller's next frame in the sink's encoding, whatever came of it."""
        if self._held or self._heard is None:
            # What a holding peer plays (music) is not the caller.
            session.pop_frame(now)
            return self._silence
        return self._heard.next_frame(now)

    def _send(self, session: RtpSession, frame: bytes | None) -> None:
        remote = session.remote
        if remote is None or not self._may_send:
            session.skip_frame()
            self._talking = False
            return
        marker = False
        if frame is None:
            self._talking = False
            if not self._plane.config.send_silence:
                session.skip_frame()
                return
            frame = self._silence
        elif not self._talking:
            # RFC 3551 section 4.1: the first packet of a talkspurt is marked.
            self._talking = marker = True
        encode = self._wire.encode
        if encode is not None:
            frame = encode(frame)
        share = self._packets_per_frame
        if share == 1:
            self._endpoint.send(session.packetize(frame, marker), remote)
            return
        size = len(frame) // share
        for start in range(0, len(frame), size):
            part = frame[start : start + size]
            self._endpoint.send(session.packetize(part, marker and start == 0, share), remote)

    def _send_digit(self, session: RtpSession) -> None:
        """Send the next step of the digits queued, instead of one frame of audio."""
        step = self._digits.next_step()
        if not isinstance(step, EventPacket):
            self._send(session, step)
            return
        remote = session.remote
        assert remote is not None
        data = session.packetize_telephone_event(step.payload, step.start, step.advance_samples)
        self._endpoint.send(data, remote)

    # Numbers

    def stats(self) -> MediaStats:
        session = self._session
        if session is None:
            return MediaStats()
        rtcp_sent = self._control.sent_by_rtp
        endpoint = self._endpoint.stats
        stats = count_media(session, self._heard, endpoint, self._srtp_stats, rtcp_sent)
        stats.ticks_shifted_ms = self._phase.shifted_ms
        return add_quality(stats, session, self._control.rtcp, self.ptime_ms)
