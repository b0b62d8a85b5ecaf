"""Offer and answer (RFC 3264) for one audio stream."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace

from telephony.base.errors import LocalProtocolError, TelephonyError
from telephony.base.ids import Ids
from telephony.sdp.codecs import (
    STATIC_PAYLOAD_TYPES,
    TELEPHONE_EVENT_PAYLOAD_TYPE,
    Encoding,
    Formats,
    format_attributes,
    formats_of,
)
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

_PROTOCOLS = ("RTP/AVP", "RTP/AVPF")

# Warning codes of RFC 3261 section 20.43.
_INCOMPATIBLE_PROTOCOL = 300
_INCOMPATIBLE_ADDRESS = 301
_INCOMPATIBLE_TRANSPORT = 302
_INCOMPATIBLE_MEDIA = 304
_INCOMPATIBLE_FORMAT = 305
_MISCELLANEOUS = 399


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """Our end: where we receive, and the codecs in the order in which we offer them."""

    address: str
    port: int
    codecs: tuple[Encoding, ...] = ("pcmu", "pcma")
    ptime_ms: int = 20
    telephone_event: bool = True


@dataclass(frozen=True, slots=True)
class NegotiatedMedia:
    """What both sides agreed on; ``direction`` is our view.

    ``remote`` is ``None`` while the peer's address is 0.0.0.0 or ``::`` (the hold of RFC 2543).
    ``hold`` tells that the peer does not want to hear us. ``receive_payload_types`` also holds
    the static types that we speak, as peers switch between them without asking.
    """

    remote: tuple[str, int] | None
    send_payload_type: int
    encoding: Encoding
    receive_payload_types: dict[int, str]
    telephone_event_payload_type: int | None
    ptime_ms: int
    direction: Direction
    hold: bool


@dataclass(frozen=True, slots=True)
class Answer:
    sdp: bytes
    media: NegotiatedMedia


class NotAcceptable(TelephonyError):  # noqa: N818 - the reason phrase of 488
    """The offer or answer can't be taken; the warning is for a Warning header."""

    def __init__(self, status: int, warning_code: int, warning: str) -> None:
        super().__init__(f"{status}: {warning}")
        self.status = status
        self.warning_code = warning_code
        self.warning = warning

    @property
    def warning_value(self) -> str:
        """What follows ``Warning:`` in the response (RFC 3261 section 20.43)."""
        text = self.warning.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.warning_code} telephony "{text}"'


def answer_direction(offered: Direction, wanted: Direction) -> Direction:
    """Return our direction for a stream that the peer offers (RFC 3264 section 6.1)."""
    send = offered in ("sendrecv", "recvonly") and wanted in ("sendrecv", "sendonly")
    receive = offered in ("sendrecv", "sendonly") and wanted in ("sendrecv", "recvonly")
    return _direction(send, receive)


def _direction(send: bool, receive: bool) -> Direction:
    if send:
        return "sendrecv" if receive else "sendonly"
    return "recvonly" if receive else "inactive"


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

    # Our offer

    def create_offer(self) -> bytes:
        """Return an offer; of the lines of earlier exchanges only ours stays open."""
        formats = self._formats_to_offer()
        protocol = self._lines[self._index].protocol if self._lines else _PROTOCOLS[0]
        line = self._audio_line(protocol, formats, self.direction)
        lines = [_rejected(old) for old in self._lines]
        if lines:
            lines[self._index] = line
        else:
            lines = [line]
        self._offer = tuple(lines)
        self._offer_formats = formats
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

    def _formats_to_offer(self) -> Formats:
        """Return our codecs; payload types once agreed on keep their meaning (section 8.3.2)."""
        known = self._formats
        by_encoding: dict[Encoding, int] = dict(STATIC_PAYLOAD_TYPES)
        telephone_event = TELEPHONE_EVENT_PAYLOAD_TYPE
        if known is not None:
            by_encoding |= {encoding: number for number, encoding in known.encodings.items()}
            telephone_event = known.telephone_event or _free_payload_type(known)
        encodings = {by_encoding[codec]: codec for codec in self.local.codecs}
        return Formats(encodings, telephone_event if self.local.telephone_event else None)

    def receive_answer(self, answer: bytes) -> NegotiatedMedia:
        """Take the answer to our last offer; the same answer may come again (183, then 200).

        Raises :class:`NotAcceptable` when it leaves nothing to talk over.
        """
        if self._offer is None or self._offer_formats is None:
            raise LocalProtocolError("there is no offer to answer")
        description = _parse(answer)
        index = self._index if self._lines else 0
        if len(description.media) <= index:
            raise NotAcceptable(488, _MISCELLANEOUS, "The answer lacks our media line")
        line = description.media[index]
        if line.kind != "audio" or line.port == 0:
            raise NotAcceptable(488, _INCOMPATIBLE_MEDIA, "The audio was refused")
        formats = formats_of(line, self.local.codecs)
        remote = self._remote_of(description, line)
        if not formats.encodings:
            raise NotAcceptable(488, _INCOMPATIBLE_FORMAT, "The answer has no codec of the offer")
        peer = description.direction_of(line)
        media = self._negotiate(
            remote,
            formats,
            self._offer_formats,
            answer_direction(peer, self._offer_direction),
            hold=peer in ("sendonly", "inactive") or remote is None,
        )
        self._agree(self._offer, index, self._offer_formats, media)
        return media

    # Their offer

    def answer(self, offer: bytes) -> Answer:
        """Return our answer to ``offer`` and what is agreed with it.

        Raises :class:`NotAcceptable`: 400 for what is not SDP, 488 when nothing of the offer can
        be used; then nothing has changed.
        """
        if self._offer_pending:
            raise LocalProtocolError("our own offer has not been answered")
        description = _parse(offer)
        index, formats, remote = self._choose(description)
        line = description.media[index]
        peer = description.direction_of(line)
        direction = answer_direction(peer, self.direction)
        if remote is None:
            direction = _muted(direction)
        payload_type, encoding = next(iter(formats.encodings.items()))
        telephone_event = formats.telephone_event if self.local.telephone_event else None
        spoken = Formats({payload_type: encoding}, telephone_event)
        lines = [_rejected(media) for media in description.media]
        lines[index] = self._audio_line(line.protocol, spoken, direction)
        accepted = Formats(formats.encodings, telephone_event)
        media = self._negotiate(
            remote, spoken, accepted, direction, peer in ("sendonly", "inactive") or remote is None
        )
        times = tuple(item for item in description.lines if item[0] == "t") or (("t", "0 0"),)
        self._agree(tuple(lines), index, accepted, media)
        return Answer(self._serialize(tuple(lines), times), media)

    def _choose(
        self, description: SessionDescription
    ) -> tuple[int, Formats, tuple[str, int] | None]:
        """Return the first media line that we can use, the one in use before others."""
        refusal = NotAcceptable(488, _INCOMPATIBLE_MEDIA, "No audio is offered")
        order = sorted(range(len(description.media)), key=lambda index: index != self._index)
        for index in order:
            line = description.media[index]
            if line.kind.lower() != "audio" or line.port == 0:
                continue
            try:
                return index, *self._examine(description, line)
            except NotAcceptable as error:
                refusal = error
        raise refusal

    def _examine(
        self, description: SessionDescription, line: MediaDescription
    ) -> tuple[Formats, tuple[str, int] | None]:
        if line.protocol not in _PROTOCOLS:
            raise NotAcceptable(
                488, _INCOMPATIBLE_TRANSPORT, "Only RTP/AVP and RTP/AVPF are spoken here"
            )
        formats = formats_of(line, self.local.codecs)
        if not formats.encodings:
            spoken = " and ".join(codec.upper() for codec in self.local.codecs)
            raise NotAcceptable(488, _INCOMPATIBLE_FORMAT, f"Only {spoken} are spoken here")
        return formats, self._remote_of(description, line)

    # Both

    def _remote_of(
        self, description: SessionDescription, line: MediaDescription
    ) -> tuple[str, int] | None:
        """Return where the peer receives; ``None`` for the unspecified address."""
        connection = description.connection_of(line)
        if connection is None:
            raise NotAcceptable(488, _MISCELLANEOUS, "No c= line holds for the audio")
        try:
            address = ipaddress.ip_address(connection.address)
        except ValueError:
            raise NotAcceptable(
                488, _INCOMPATIBLE_ADDRESS, "The c= line needs an IP address"
            ) from None
        if address.is_unspecified:
            return None
        if address.version != ipaddress.ip_address(self.local.address).version:
            raise NotAcceptable(488, _INCOMPATIBLE_PROTOCOL, "Incompatible IP version")
        if address.is_multicast or connection.address == "255.255.255.255":
            raise NotAcceptable(488, _INCOMPATIBLE_ADDRESS, "The c= line needs a unicast address")
        return connection.address, line.port

    def _negotiate(
        self,
        remote: tuple[str, int] | None,
        sent: Formats,
        received: Formats,
        direction: Direction,
        hold: bool,
    ) -> NegotiatedMedia:
        payload_type, encoding = next(iter(sent.encodings.items()))
        known = {STATIC_PAYLOAD_TYPES[codec]: codec for codec in self.local.codecs}
        both = sent.telephone_event is not None
        return NegotiatedMedia(
            remote=remote,
            send_payload_type=payload_type,
            encoding=encoding,
            receive_payload_types={**known, **received.encodings},
            telephone_event_payload_type=received.telephone_event if both else None,
            ptime_ms=self.local.ptime_ms,
            direction=_muted(direction) if remote is None else direction,
            hold=hold,
        )

    def _agree(
        self,
        lines: tuple[MediaDescription, ...],
        index: int,
        formats: Formats,
        media: NegotiatedMedia,
    ) -> None:
        self._lines = lines
        self._index = index
        self._formats = formats
        self._offer_pending = False
        self.negotiated = media

    def _audio_line(
        self, protocol: str, formats: Formats, direction: Direction
    ) -> MediaDescription:
        numbers = list(formats.encodings)
        if formats.telephone_event is not None:
            numbers.append(formats.telephone_event)
        attributes: list[Attribute] = [
            *format_attributes(formats.encodings, formats.telephone_event),
            ("ptime", str(self.local.ptime_ms)),
            (direction, None),
        ]
        return MediaDescription(
            kind="audio",
            port=self.local.port,
            protocol=protocol,
            formats=tuple(map(str, numbers)),
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
        raise NotAcceptable(400, _MISCELLANEOUS, f"Malformed SDP: {error}") from error


def _muted(direction: Direction) -> Direction:
    """Return ``direction`` without sending."""
    return "recvonly" if direction in ("sendrecv", "recvonly") else "inactive"


def _rejected(media: MediaDescription) -> MediaDescription:
    """Return the line with port 0, in the form in which it was offered (section 6)."""
    return MediaDescription(media.kind, 0, media.protocol, media.formats)


def _free_payload_type(formats: Formats) -> int:
    candidates: list[int] = [TELEPHONE_EVENT_PAYLOAD_TYPE, *range(96, 128)]
    for number in candidates:
        if number not in formats.encodings:
            return number
    raise LocalProtocolError("every dynamic payload type is taken")
