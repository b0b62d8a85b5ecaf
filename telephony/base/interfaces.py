"""What the call layer asks of the shells around it, as Protocols.

``calls`` never imports ``net``, ``stacks`` or ``observe``; ``app`` plugs them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from telephony.base.errors import TelephonyError

Address = tuple[str, int]
"""Host and port of a socket: a numeric IPv4 or IPv6 address, and a port number."""

Clock = Callable[[], float]
"""Monotonic seconds."""

Encoding = Literal["pcmu", "pcma", "l16"]

DigitWay = Literal["rfc4733", "info", "inband", "hosted"]
"""How a digit travels: as a telephone-event, in a SIP INFO, as a tone in the audio; or however the
provider sends it who has the caller's line."""

DigitMode = Literal["auto", "rfc4733", "info", "inband"]
"""How digits are to be sent; ``auto``: the first of them that the peer can take."""


class CannotAnswer(TelephonyError):  # noqa: N818 - carries a SIP status, not a fault
    """The leg cannot carry this call; ``status`` is the SIP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"{status} {reason}")


@dataclass(frozen=True, slots=True)
class LegFacts:
    """What signalling knows of a call when it arrives (or when it is placed).

    ``caller`` is the number that the trunk's policy trusts, normalised; empty when it is withheld.
    """

    sip_call_id: str
    called: str
    caller: str
    caller_name: str
    source_ip: str
    transport: str
    trunk: str
    headers: Mapping[str, str]
    diverted_from: str = ""
    """The number that forwarded the call to us last: History-Info, else Diversion."""
    attestation: str = ""
    """``A``, ``B`` or ``C`` when the Identity header was verified (RFC 8588), else empty."""


@dataclass(slots=True)
class MediaStats:
    """Counters of one leg's media, read when somebody looks.

    ``remote_*`` is what the peer reports of the packets we sent. ``mos``, of what we hear, and
    ``remote_mos``, of what the peer hears, are estimates of 1 (bad) to 4.4. ``None`` is unknown.
    """

    packets_received: int = 0
    packets_sent: int = 0
    packets_lost: int = 0
    packets_late: int = 0
    packets_duplicate: int = 0
    packets_reordered: int = 0
    packets_discarded: int = 0
    packets_refused: int = 0
    packets_malformed: int = 0
    packets_unauthenticated: int = 0
    send_errors: int = 0
    concealed_ms: int = 0
    gap_ms: int = 0
    comfort_noise_ms: int = 0
    accelerated_ms: int = 0
    decelerated_ms: int = 0
    jitter_buffer_underruns: int = 0
    ticks_shifted_ms: int = 0
    jitter_ms: float = 0.0
    jitter_buffer_delay_ms: float = 0.0
    loss_percent: float | None = None
    mos: float | None = None
    rtcp_packets_received: int = 0
    rtcp_packets_sent: int = 0
    rtcp_packets_refused: int = 0
    rtcp_bye_received: bool = False
    round_trip_ms: float | None = None
    round_trip_max_ms: float | None = None
    remote_packets_lost: int | None = None
    remote_loss_percent: float | None = None
    remote_jitter_ms: float | None = None
    remote_mos: float | None = None


@dataclass(frozen=True, slots=True)
class DigitsSent:
    """What came of :meth:`Media.send_digits`: ``digits`` went out, ``failure`` is why not all."""

    digits: str
    way: DigitWay
    failure: str = ""


class MediaSink(Protocol):
    """What a leg's media talks to, once a ptime."""

    def hear(self, frame: bytes, now: float) -> None:
        """Take one ptime of the caller in the media's encoding; time has no holes."""

    def speak(self, now: float) -> bytes | None:
        """Return the next ptime for the caller, or None when there is nothing to say.

        The frame counts as heard by the caller from this call on.
        """


class Media(Protocol):
    """Audio of one leg: a frame in and a frame out every ``ptime_ms``.

    ``encoding`` and ``sample_rate_hz`` are those of the frames; ``codec`` is what RTP carries.
    """

    @property
    def codec(self) -> str: ...

    @property
    def encoding(self) -> Encoding: ...

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def ptime_ms(self) -> int: ...

    @property
    def last_received_at(self) -> float | None:
        """When the last valid packet came, in monotonic seconds."""

    def stats(self) -> MediaStats: ...

    def start(self, sink: MediaSink) -> None: ...

    def send_digits(self, digits: str, on_sent: Callable[[DigitsSent], None] | None = None) -> None:
        """Queue ``digits`` (0-9 * # A-D, ``,`` is a pause) in the way the peer takes them.

        They replace audio while they last, and what there is to say waits. ``on_sent`` is called
        once, when the last is out, when sending failed or when the media closes. Raises
        LocalProtocolError when the peer can't take any.
        """


class LegListener(Protocol):
    """Who hears of a leg's signalling. Every method returns at once."""

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        """A provisional response came (outbound legs).

        With ``early_media`` the leg's media is negotiated: what the far end plays before it
        answers can be heard.
        """

    def leg_confirmed(self) -> None:
        """The dialog stands on both sides and media is known: ACK (inbound) or 200 (outbound)."""

    def leg_held(self, held: bool) -> None: ...

    def digit_received(self, digit: str, held: bool = False) -> None:
        """A key was pressed; ``held``: it is still down, and :meth:`digit_finished` follows."""

    def digit_finished(self, digit: str, duration_ms: int) -> None:
        """A key that was held is let go of, or nothing is heard of it any more."""

    def transfer_progressed(self, status: int, reason: str) -> None:
        """The peer tells how our REFER goes on: a provisional status of its new call."""

    def transfer_finished(self, status: int, reason: str, refused: bool = False) -> None:
        """Our REFER is done: 2xx, the peer talks to the target; else the leg is ours as before.

        ``refused``: the peer did not take the REFER; the status says nothing about the target.
        """

    def refer_received(self, target_uri: str, referred_by: str) -> None:
        """The peer asks us to call ``target_uri``: answer_refer() says what we do.

        Only asked where the trunk allows it; elsewhere the REFER was declined already.
        """

    def leg_replaced(self, leg: Leg) -> None:
        """A call came that takes the place of this one (RFC 3891); ``leg`` waits to be answered.

        What is said goes on over ``leg``; this leg is to be hung up once it is answered.
        """

    def leg_ended(self, ended_by: str, cause: str, status: int) -> None:
        """The leg is gone: BYE, CANCEL, a failure. Nothing more comes from it.

        ``cause`` is the peer's Reason header, the failure's word, or the status phrase.
        """


class Leg(Protocol):
    """One signalling leg: a dialog and the media negotiated in it."""

    @property
    def facts(self) -> LegFacts: ...

    @property
    def media(self) -> Media:
        """The leg's media; raises LocalProtocolError before it was negotiated."""

    def listen(self, listener: LegListener) -> None: ...

    def prepare(self) -> None:
        """Negotiate media and open its port; raises :class:`CannotAnswer`."""

    def ring(self) -> None: ...

    def progress(self) -> None:
        """Send 183 with our SDP: the caller hears media before the answer (early media)."""

    def answer(self) -> None: ...

    def reject(self, status: int, reason: str = "", retry_after_s: int | None = None) -> None: ...

    def hangup(self, cause: str = "") -> None:
        """End the leg in whatever state it is (BYE, CANCEL or a final response). Idempotent.

        ``cause`` is a word of ``calls.cause``; the Reason header says it as a Q.850 cause.
        """

    def hold(self) -> None:
        """Ask the peer to send nothing (``sendonly``); what we say is still heard."""

    def resume(self) -> None:
        """Undo :meth:`hold`."""

    def transfer(self, target: str, replacing: Leg | None = None) -> None:
        """Ask the peer to call ``target`` (REFER); the listener hears what came of it.

        A URI is passed on as it is; a number becomes one that the peer can call, as its trunk
        writes numbers. ``replacing`` is an answered leg of ours, whose place the peer's call takes
        (attended transfer): the target is that dialog's own then, and ``target`` is not looked at.
        The leg stays up until somebody hangs up.
        """

    def answer_refer(self, status: int) -> None:
        """Tell the peer how the call that it asked for goes on.

        100 accepts the REFER, 1xx reports progress, 200 to 699 its end; the first status of 300 or
        more declines it.
        """

    def adopt_encoding(self, encoding: Encoding, sample_rate_hz: int) -> None:
        """Let the media show this encoding to its sink, whatever goes over the wire.

        To be called before :meth:`prepare`, or before the media is started.
        """

    def close(self) -> None:
        """Release the media port. Idempotent."""


class Signaling(Protocol):
    """A SIP stack that brings inbound legs to a callback and places outbound ones."""

    def place_call(
        self, uri: str, from_uri: str, headers: Sequence[tuple[str, str]] = ()
    ) -> Leg: ...


class ModelConnection(Protocol):
    """An open way to a realtime model.

    Over a WebSocket messages are bytes; within the process they are what both ends agreed on.
    """

    def send(self, message: Any) -> None:
        """Send a control message; it is never dropped and never overtaken by later audio."""

    def send_audio(self, message: Any) -> bool:
        """Send an audio message; returns False when the queue was full and audio was dropped."""

    @property
    def audio_dropped(self) -> int: ...

    async def close(self, code: int = 1000) -> None: ...


class ModelConnector(Protocol):
    """Opens WebSockets to models; raises ModelUnavailable when one cannot be had."""

    async def __call__(
        self,
        url: str,
        headers: Mapping[str, str],
        on_message: Callable[[bytes | str], None],
        on_closed: Callable[[int, str], None],
    ) -> ModelConnection: ...


class ModelUnavailable(TelephonyError):  # noqa: N818 - the state of a peer
    """The model cannot be reached or refuses us.

    ``fatal``: another try would meet the same answer. ``of_account``: so would every session with
    the same key, whatever its settings.
    """

    def __init__(self, reason: str, *, fatal: bool = False, of_account: bool = False) -> None:
        self.reason = reason
        self.fatal = fatal
        self.of_account = of_account
        super().__init__(reason)


class CallMetrics(Protocol):
    """What the call layer reports; plain calls, no labels to look up on the media path."""

    def call_started(self) -> None: ...

    def call_finished(self, result: str, cause: str, setup_s: float | None) -> None: ...

    def turn_latency(
        self, total_s: float, caller_to_model_s: float | None, model_to_caller_s: float | None
    ) -> None: ...

    def barge_in(self, seconds: float, source: str) -> None: ...

    def echo_measured(self, return_loss_db: float, delay_s: float) -> None:
        """What we said came back, so much quieter and later; once per conversation."""

    def model_reconnected(self, outcome: str) -> None: ...

    def register_leg(self, stats: Callable[[], MediaStats]) -> None: ...

    def unregister_leg(self, stats: Callable[[], MediaStats]) -> None: ...
