"""What happened, as the user agent tells it.

Every leg ends with exactly one of LegEnded, InviteCancelled and CallFailed; no event of the leg
follows it. Session descriptions may hold keys (RFC 4568) and are left out of every ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import sipmessage

from telephony.sip.flow import Flow
from telephony.sip.message import HeaderView


def _no_headers() -> HeaderView:
    return HeaderView(sipmessage.Headers())


@dataclass(frozen=True, slots=True)
class InviteReceived:
    """A call came in; 100 Trying is sent. ``sdp`` None: the caller wants our offer in the 200.

    ``peer`` is the name under which admission knows who sent it, "" for a stranger.
    ``replaces_leg_id`` names the leg whose place the call takes (RFC 3891): answer it, then end
    that leg.
    """

    leg_id: str
    request_uri: str
    from_uri: str
    from_display: str
    to_uri: str
    call_id: str
    headers: HeaderView = field(compare=False)
    sdp: bytes | None = field(repr=False)
    flow: Flow
    peer: str = ""
    replaces_leg_id: str = ""


@dataclass(frozen=True, slots=True)
class InviteCancelled:
    """The caller gave up before the answer (CANCEL, BYE or Expires). Ends the leg."""

    leg_id: str
    reason_header: str = ""


@dataclass(frozen=True, slots=True)
class LegConfirmed:
    """The ACK for our answer arrived; ``sdp`` is its body, the answer to an offer in our 200."""

    leg_id: str
    sdp: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AckTimedOut:
    """No ACK for 64*T1. The user agent sends BYE; LegEnded follows."""

    leg_id: str


@dataclass(frozen=True, slots=True)
class OfferReceived:
    """The peer wants to change the session: answer with answer_offer or refuse_offer.

    ``sdp`` None: the peer wants our offer, and its answer comes as AnswerReceived.
    """

    leg_id: str
    sdp: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class OfferWithdrawn:
    """The peer cancelled its re-INVITE; the session stays as it was."""

    leg_id: str


@dataclass(frozen=True, slots=True)
class AnswerReceived:
    """The peer's answer to our reinvite(), or to the offer given to answer_offer()."""

    leg_id: str
    sdp: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReinviteFailed:
    """Our reinvite() was refused, or collided (491) too often; the session stays as it was."""

    leg_id: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The call is over. ``reason_header`` is the Reason of the peer's BYE (RFC 3326).

    ``status`` is ours after reject(), the failure's when ``by`` is "error", else None.
    """

    leg_id: str
    by: Literal["remote", "local", "error"]
    reason_header: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True)
class InfoReceived:
    """An INFO in the dialog (already answered 200)."""

    leg_id: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """The outcome of request(): the peer's final status, 408 or 503 when there was none."""

    leg_id: str
    method: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class CallProgressed:
    """A provisional response above 100 to our INVITE; ``sdp`` may be early media's.

    ``fork`` is the To tag: callees behind a forking proxy each have their own (section 12.1), and
    the ``sdp`` of each answers our offer.
    """

    leg_id: str
    status: int
    sdp: bytes | None = field(repr=False)
    fork: str = ""


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The callee answered. After invite(sdp=None) ``sdp`` is an offer: call answer_offer()."""

    leg_id: str
    sdp: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallFailed:
    """The call failed: the peer's status, 408 or 503 without one, 487 after cancel()."""

    leg_id: str
    status: int
    reason: str
    headers: HeaderView = field(default_factory=_no_headers, compare=False)


@dataclass(frozen=True, slots=True)
class ReferReceived:
    """The peer asks us to call ``refer_to`` (RFC 3515): accept_refer() or refuse_refer().

    ``refer_to`` is a URI without its headers part; ``replaces`` is the Replaces value in it.
    """

    leg_id: str
    refer_to: str
    replaces: str
    referred_by: str


@dataclass(frozen=True, slots=True)
class ReferProgressed:
    """The peer took our REFER, or tells of a provisional status of the call it placed."""

    leg_id: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReferFinished:
    """What became of our refer(): 2xx, or why not.

    That is the status of the peer's call, 408 when no more is heard, or, if ``refused``, the
    answer to the REFER itself: then the peer called nobody.
    """

    leg_id: str
    status: int
    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """The outcome of send_request(), which belongs to no leg: 408 or 503 when nobody answered."""

    request_id: str
    method: str
    status: int
    reason: str
    headers: HeaderView = field(default_factory=_no_headers, compare=False)


LegEvent = (
    InviteReceived
    | InviteCancelled
    | LegConfirmed
    | AckTimedOut
    | OfferReceived
    | OfferWithdrawn
    | AnswerReceived
    | ReinviteFailed
    | LegEnded
    | InfoReceived
    | RequestAnswered
    | CallProgressed
    | CallAnswered
    | CallFailed
    | ReferReceived
    | ReferProgressed
    | ReferFinished
)

Event = LegEvent | RequestFinished
