"""Offer and answer (RFC 3264) for one audio stream."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sdp.codecs import (
    CLOCK_RATE_HZ,
    STATIC_PAYLOAD_TYPES,
    Encoding,
    Formats,
    format_attributes,
    formats_of,
    formats_to_offer,
    session_clock_rate,
)
from telephony.sdp.crypto import SUITES, Crypto
from telephony.sdp.description import (
    Attribute,
    Connection,
    Direction,
    MediaDescription,
    Origin,
    SdpParseError,
    SessionDescription,
    parse,
)
from telephony.sdp.directions import answer_direction, muted
from telephony.sdp.keying import Choice, Keying, SrtpKeys, attributes_of
from telephony.sdp.profiles import SrtpMode, check_offered, is_secure, profile_to_offer
from telephony.sdp.refusal import (
    INCOMPATIBLE_FORMAT,
    INCOMPATIBLE_MEDIA,
    INCOMPATIBLE_TRANSPORT,
    MISCELLANEOUS,
    NotAcceptable,
)
from telephony.sdp.remote import remote_of
from telephony.sdp.rtcp_attributes import RtcpMux, RtcpPeer, mux_attributes, rtcp_of, wants_mux

__all__ = ["Answer", "LocalMedia", "NegotiatedMedia", "NotAcceptable", "OfferAnswer"]


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """Our end: where we receive, and codecs and SRTP suites in the order in which we offer them."""

    address: str
    port: int
    codecs: tuple[Encoding, ...] = ("pcmu", "pcma")
    ptime_ms: int = 20
    telephone_event: bool = True
    comfort_noise: bool = False
    srtp: SrtpMode = "off"
    srtp_suites: tuple[str, ...] = SUITES
    rtcp_mux: RtcpMux = "off"


@dataclass(frozen=True, slots=True)
class NegotiatedMedia:
    """What both sides agreed on; ``direction`` is our view.

    ``remote`` is ``None`` while the peer's address is 0.0.0.0 or ``::`` (the hold of RFC 2543).
    ``hold`` tells that the peer does not want to hear us. ``receive_payload_types`` also holds
    the static types that we speak, as peers switch between them without asking. ``srtp`` is
    ``None`` for plain RTP. ``rtcp`` says where the peer takes RTCP.

    ``send_parameters`` is what the peer's ``fmtp`` asks of the audio it is sent, ``max_ptime_ms``
    its ``maxptime``, the most that it takes in a packet.
    ``clock_rate_hz`` suits every codec that may yet be agreed on: timestamps of others are
    fractions of it.
    """

    remote: tuple[str, int] | None
    send_payload_type: int
    encoding: Encoding
    receive_payload_types: dict[int, str]
    telephone_event_payload_type: int | None
    ptime_ms: int
    direction: Direction
    hold: bool
    srtp: SrtpKeys | None = None
    rtcp: RtcpPeer = field(default_factory=RtcpPeer)
    send_parameters: str = field(default="", kw_only=True)
    max_ptime_ms: float | None = field(default=None, kw_only=True)
    clock_rate_hz: int = field(default=CLOCK_RATE_HZ, kw_only=True)
    event_clock_rate_hz: int = field(default=CLOCK_RATE_HZ, kw_only=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """``sdp`` may hold an SRTP key, which a repr does not show."""

    sdp: bytes = field(repr=False)
    media: NegotiatedMedia


@dataclass(frozen=True, slots=True)
class _Usable:
    """What of an offer we take."""

    index: int
    formats: Formats
    remote: tuple[str, int] | None
    choice: Choice | None


class OfferAnswer:
    """The negotiations of one dialog, in both roles, any number of times.

    Assign ``local`` or ``direction`` (``sendonly`` holds the peer) before :meth:`create_offer`
    or :meth:`answer`. A negotiation that fails leaves the one before in force.
    """

    def __init__(self, local: LocalMedia, ids: Ids) -> None:
        self.local = local
        self.direction: Direction = "sendrecv"
        self.negotiated: NegotiatedMedia | None = None
        self._session_id = ids.uint32()
        self._version = self._session_id
        self._sent_body: str | None = None
        # The media lines last agreed on, in their order; ours is the one at `_index`.
        self._lines: tuple[MediaDescription, ...] = ()
        self._index = 0
        self._formats: Formats | None = None
        self._offer: tuple[MediaDescription, ...] | None = None
        self._offer_formats: Formats | None = None
        self._offer_direction: Direction = "sendrecv"
        self._offer_pending = False
        self._offer_cryptos: tuple[Crypto, ...] = ()
        self._keying = Keying(ids)

    # Our offer

    def create_offer(self) -> bytes:
        """Return an offer; of the lines of earlier exchanges only ours stays open.

        The same again, keys included, while nothing else was agreed on.
        """
        local = self.local
        formats = formats_to_offer(
            local.codecs, local.telephone_event, self._formats, local.comfort_noise
        )
        in_use = self._lines[self._index].protocol if self._lines else None
        protocol = profile_to_offer(in_use, self.local.srtp)
        cryptos: tuple[Crypto, ...] = ()
        if is_secure(protocol):
            cryptos = self._keying.offer(self.local.srtp_suites)
            if not cryptos:
                raise LocalProtocolError("SRTP is required, but there is no cipher suite for it")
        in_one = self.negotiated is not None and self.negotiated.rtcp.mux
        mux = in_one or self.local.rtcp_mux == "offer"
        line = self._audio_line(protocol, formats, self.direction, cryptos, mux)
        lines = [_rejected(old) for old in self._lines]
        if lines:
            lines[self._index] = line
        else:
            lines = [line]
        self._offer = tuple(lines)
        self._offer_formats = formats
        self._offer_cryptos = cryptos
        self._offer_direction = self.direction
        self._offer_pending = True
        return self._serialize(self._offer, (("t", "0 0"),))

    @property
    def offer_pending(self) -> bool:
        """Whether our offer awaits its answer; an offer of the peer is glare then (491)."""
        return self._offer_pending

    def withdraw_offer(self) -> None:
        """Forget an offer that the peer refused."""
        self._offer_pending = False
        self._offer = None

    def receive_answer(self, answer: bytes) -> NegotiatedMedia:
        """Take the answer to our last offer; the same answer may come again (183, then 200).

        Raises :class:`NotAcceptable` when it leaves nothing to talk over.
        """
        if self._offer is None or self._offer_formats is None:
            raise LocalProtocolError("there is no offer to answer")
        description = _parse(answer)
        index = self._index if self._lines else 0
        if len(description.media) <= index:
            raise NotAcceptable(488, MISCELLANEOUS, "The answer lacks our media line")
        line = description.media[index]
        if line.kind != "audio" or line.port == 0:
            raise NotAcceptable(488, INCOMPATIBLE_MEDIA, "The audio was refused")
        choice = self._choice_of_answer(line, secure=is_secure(self._offer[index].protocol))
        formats = formats_of(line, self.local.codecs)
        remote = remote_of(description, line, self.local.address)
        if not formats.encodings:
            raise NotAcceptable(488, INCOMPATIBLE_FORMAT, "The answer has no codec of the offer")
        peer = description.direction_of(line)
        mux = wants_mux(self._offer[index]) and wants_mux(line)
        media = self._negotiate(
            remote,
            formats,
            self._offer_formats,
            answer_direction(peer, self._offer_direction),
            peer in ("sendonly", "inactive") or remote is None,
            choice,
            rtcp_of(line, remote, mux),
            line,
        )
        self._agree(self._offer, index, self._offer_formats, media, choice)
        return media

    def _choice_of_answer(self, line: MediaDescription, secure: bool) -> Choice | None:
        """Return the keys of an answer; it may not leave the profile offered for a weaker one."""
        if is_secure(line.protocol) != secure:
            raise NotAcceptable(488, INCOMPATIBLE_TRANSPORT, "The answer is of another profile")
        if not secure:
            return None
        choice = self._keying.take_answer(line, self._offer_cryptos)
        if choice is None:
            raise NotAcceptable(488, MISCELLANEOUS, "The answer has no a=crypto of the offer")
        return choice

    # Their offer

    def answer(self, offer: bytes) -> Answer:
        """Return our answer to ``offer`` and what is agreed with it.

        Raises :class:`NotAcceptable`: 400 for what is not SDP, 488 when nothing of the offer can
        be used; then nothing has changed.
        """
        if self._offer_pending:
            raise LocalProtocolError("our own offer has not been answered")
        description = _parse(offer)
        usable = self._choose(description)
        line = description.media[usable.index]
        peer = description.direction_of(line)
        direction = answer_direction(peer, self.direction)
        if usable.remote is None:
            direction = muted(direction)
        payload_type, encoding = usable.formats.first
        accepted = usable.formats
        if not self.local.telephone_event:
            accepted = replace(accepted, telephone_events={})
        noise = self.local.comfort_noise and accepted.noise_for(encoding)
        spoken = Formats({payload_type: encoding}, accepted.events_for(encoding), noise)
        cryptos = (usable.choice.ours,) if usable.choice is not None else ()
        lines = [_rejected(media) for media in description.media]
        mux = self.local.rtcp_mux != "off" and wants_mux(line)
        lines[usable.index] = self._audio_line(line.protocol, spoken, direction, cryptos, mux)
        hold = peer in ("sendonly", "inactive") or usable.remote is None
        rtcp = rtcp_of(line, usable.remote, mux)
        media = self._negotiate(
            usable.remote, spoken, accepted, direction, hold, usable.choice, rtcp, line
        )
        times = tuple(item for item in description.lines if item[0] == "t") or (("t", "0 0"),)
        self._agree(tuple(lines), usable.index, accepted, media, usable.choice)
        return Answer(self._serialize(tuple(lines), times), media)

    def _choose(self, description: SessionDescription) -> _Usable:
        """Return the first media line that we can use, the one in use before others."""
        refusal = NotAcceptable(488, INCOMPATIBLE_MEDIA, "No audio is offered")
        order = sorted(range(len(description.media)), key=lambda index: index != self._index)
        for index in order:
            line = description.media[index]
            if line.kind.lower() != "audio" or line.port == 0:
                continue
            try:
                return self._examine(description, index)
            except NotAcceptable as error:
                refusal = error
        raise refusal

    def _examine(self, description: SessionDescription, index: int) -> _Usable:
        line = description.media[index]
        check_offered(line.protocol, self.local.srtp)
        formats = formats_of(line, self.local.codecs)
        if not formats.encodings:
            spoken = " and ".join(codec.upper() for codec in self.local.codecs)
            raise NotAcceptable(488, INCOMPATIBLE_FORMAT, f"Only {spoken} are spoken here")
        remote = remote_of(description, line, self.local.address)
        choice = None
        if is_secure(line.protocol):
            choice = self._keying.answer(line, self.local.srtp_suites)
            if choice is None:
                suites = ", ".join(self.local.srtp_suites)
                raise NotAcceptable(
                    488, MISCELLANEOUS, f"No usable a=crypto line; known here: {suites}"
                )
        return _Usable(index, formats, remote, choice)

    # Both

    def _negotiate(
        self,
        remote: tuple[str, int] | None,
        sent: Formats,
        received: Formats,
        direction: Direction,
        hold: bool,
        choice: Choice | None,
        rtcp: RtcpPeer,
        line: MediaDescription,
    ) -> NegotiatedMedia:
        payload_type, encoding = sent.first
        codecs = self.local.codecs
        known = {
            STATIC_PAYLOAD_TYPES[codec]: codec for codec in codecs if codec in STATIC_PAYLOAD_TYPES
        }
        event_rate = next(iter(sent.events_for(encoding)), CLOCK_RATE_HZ)
        both = event_rate in sent.telephone_events
        events = received.telephone_events
        return NegotiatedMedia(
            remote=remote,
            send_payload_type=payload_type,
            encoding=encoding,
            receive_payload_types={**known, **received.encodings},
            telephone_event_payload_type=events.get(event_rate) if both else None,
            ptime_ms=self.local.ptime_ms,
            direction=muted(direction) if remote is None else direction,
            hold=hold,
            srtp=None if choice is None else choice.keys,
            rtcp=rtcp,
            send_parameters=line.fmtp.get(str(payload_type), ""),
            max_ptime_ms=line.maxptime,
            clock_rate_hz=session_clock_rate(codecs),
            event_clock_rate_hz=event_rate,
        )

    def _agree(
        self,
        lines: tuple[MediaDescription, ...],
        index: int,
        formats: Formats,
        media: NegotiatedMedia,
        choice: Choice | None,
    ) -> None:
        self._lines = lines
        self._index = index
        self._formats = formats
        self._offer_pending = False
        self._keying.agree(choice)
        self.negotiated = media

    def _audio_line(
        self,
        protocol: str,
        formats: Formats,
        direction: Direction,
        cryptos: tuple[Crypto, ...],
        mux: bool,
    ) -> MediaDescription:
        attributes: list[Attribute] = [
            *format_attributes(formats),
            ("ptime", str(self.local.ptime_ms)),
            *attributes_of(cryptos),
            *mux_attributes(mux),
            (direction, None),
        ]
        return MediaDescription(
            kind="audio",
            port=self.local.port,
            protocol=protocol,
            formats=tuple(map(str, formats.payload_types)),
            attributes=tuple(attributes),
        )

    def _serialize(
        self, lines: tuple[MediaDescription, ...], times: tuple[tuple[str, str], ...]
    ) -> bytes:
        """Return the description; its version moves only when its text does (section 8)."""
        family = f"IP{ipaddress.ip_address(self.local.address).version}"
        description = SessionDescription(
            origin=None,
            connection=Connection("IN", family, self.local.address),
            lines=times,
            media=lines,
        )
        body = str(description)
        if self._sent_body is not None and body != self._sent_body:
            self._version += 1
        self._sent_body = body
        origin = Origin(
            "-", str(self._session_id), str(self._version), "IN", family, self.local.address
        )
        return bytes(replace(description, origin=origin))


def _parse(data: bytes) -> SessionDescription:
    try:
        return parse(data)
    except SdpParseError as error:
        raise NotAcceptable(400, MISCELLANEOUS, f"Malformed SDP: {error}") from error


def _rejected(media: MediaDescription) -> MediaDescription:
    """Return the line with port 0, in the form in which it was offered (section 6)."""
    return MediaDescription(media.kind, 0, media.protocol, media.formats)
