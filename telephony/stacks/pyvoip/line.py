"""One call as pyVoIP has it, and what it says about it."""

from __future__ import annotations

from copy import copy
from typing import Final

from telephony.base.ids import Ids
from telephony.sdp.codecs import formats_of
from telephony.sdp.description import SdpParseError, parse
from telephony.sip.flow import Address
from telephony.sip.message import IncomingRequest, IncomingResponse
from telephony.sip.status import reason_phrase
from telephony.sip.writer import SDP_TYPE
from telephony.stacks.pyvoip.client import MediaLines
from telephony.stacks.pyvoip.draft import Draft
from telephony.stacks.pyvoip.library import RTP, SIP, VoIP
from telephony.stacks.pyvoip.message import plain, request_message, response_message
from telephony.stacks.pyvoip.phone import Call, Phone
from telephony.stacks.pyvoip.wire import Wire

_CODECS: Final = {"pcmu": RTP.PayloadType.PCMU, "pcma": RTP.PayloadType.PCMA}
_NO_MEDIA: Final[MediaLines] = {9: {0: RTP.PayloadType.PCMU}}


class Line:
    """A telephone with one call, on a wire that keeps what it sends.

    Methods return the message that pyVoIP wrote, as a :class:`Draft`: where it goes and what of it
    has to be put right is for whoever sends it. They raise whatever pyVoIP raises; nothing of it
    is half done then that would matter to another call.
    """

    def __init__(self, local: Address, remote: Address, tag: str, ids: Ids) -> None:
        self._wire = Wire()
        self._local = local
        self._phone = Phone(self._wire, local, remote, tag, ids)
        self._call: Call | None = None

    @property
    def call(self) -> Call:
        """pyVoIP's call; raises RuntimeError before there is one."""
        if self._call is None:
            raise RuntimeError("pyVoIP has no call here")
        return self._call

    # A call that comes in

    def receive_invite(self, request: IncomingRequest) -> None:
        """Take the first INVITE."""
        message = request_message(request)
        self._phone.sip.parse_message(message)
        self._call = self._phone.calls[message.headers["Call-ID"]]

    def provisional(self, status: int, sdp: bytes = b"") -> Draft:
        """Return 180, or another provisional response: pyVoIP has only that one."""
        draft = Draft(self._phone.sip.gen_ringing(self.call.request))
        draft.start_line = f"SIP/2.0 {status} {reason_phrase(status)}"
        draft.describe(SDP_TYPE, sdp)
        return draft

    def answer(self, sdp: bytes) -> Draft:
        self.call.describe(media_lines(sdp))
        self.call.answer()
        return self._described(sdp)

    def refuse(self, status: int, reason: str = "") -> Draft:
        """Refuse the call; pyVoIP knows 486 alone."""
        self.call.deny()
        return _with_status(self._said(), status, reason)

    def cancel_received(self, request: IncomingRequest) -> Draft:
        """Take a CANCEL; returns its 200."""
        self._phone.sip.parse_message(request_message(request))
        return self._said()

    def request_terminated(self) -> Draft:
        """Return the 487 for the INVITE that was cancelled: pyVoIP leaves it open."""
        return _with_status(Draft(self._phone.sip.gen_busy(self.call.request)), 487, "")

    def renegotiate(self, request: IncomingRequest, sdp: bytes) -> Draft:
        """Answer a re-INVITE."""
        self.call.describe(media_lines(sdp))
        self._phone.sip.parse_message(self._renamed(request_message(request)))
        return self._described(sdp)

    def refuse_offer(self, request: IncomingRequest, status: int, reason: str = "") -> Draft:
        """Refuse a re-INVITE: pyVoIP takes every one."""
        return _with_status(
            Draft(self._phone.sip.gen_busy(request_message(request))), status, reason
        )

    def bye_received(self, request: IncomingRequest) -> Draft:
        """Take a BYE; returns its 200."""
        self._phone.sip.parse_message(self._renamed(request_message(request)))
        return self._said()

    def ok(self, request: IncomingRequest) -> Draft:
        """Return 200 for a request that pyVoIP does not know."""
        return Draft(self._phone.sip.gen_ok(request_message(request)))

    # A call of ours

    def invite(self, number: str, sdp: bytes) -> Draft:
        """Place the call; asked again it writes the INVITE once more (after a challenge)."""
        media = media_lines(sdp)
        if self._call is None:
            self._call = self._phone.place(plain(number), media)
            return self._described(sdp)
        request = self.call.request
        text = self._phone.sip.gen_invite(
            plain(number), self.call.session_id, media, "sendrecv", "_", request.headers["Call-ID"]
        )
        self.call.request = SIP.SIPMessage(text.encode("utf8"))
        draft = Draft(text)
        draft.describe(SDP_TYPE, sdp)
        return draft

    def answered(self, response: IncomingResponse) -> Draft:
        """Take the 2xx; returns its ACK."""
        self._phone.sip.parse_message(self._renamed(response_message(response, self._local)))
        return self._said()

    def ack(self, response: IncomingResponse) -> Draft:
        """Return the ACK of a final response that is not the call's own."""
        message = self._renamed(response_message(response, self._local))
        return Draft(self._phone.sip.gen_ack(message))

    def ack_refusal(self) -> Draft:
        """Return the ACK of a refusal of our INVITE."""
        return Draft(self._phone.sip.gen_ack(self.call.request))

    def refused(self) -> None:
        """Take a refusal of our INVITE."""
        self.call.refused()

    def cancel(self) -> Draft:
        return Draft(self._phone.sip.gen_cancel(self.call.request))

    def bye_fork(self, response: IncomingResponse) -> Draft:
        """Return the BYE for a callee who answered too many."""
        message = response_message(response, self._local)
        request = copy(self.call.request)
        request.headers = {
            **request.headers,
            "To": message.headers["To"],
            "Contact": message.headers["Contact"],
        }
        return Draft(self._phone.sip.gen_bye(request))

    # Both

    def hang_up(self) -> Draft:
        """End an answered call; returns the BYE."""
        if self.call.state is not VoIP.CallState.ANSWERED:
            return self.bye_again()
        self.call.hangup()
        return self._said()

    def bye_again(self) -> Draft:
        """Return the BYE of a call that is over for pyVoIP (after a challenge)."""
        return Draft(self._phone.sip.gen_bye(self.call.request))

    def _renamed(self, message: SIP.SIPMessage) -> SIP.SIPMessage:
        """Let pyVoIP find its call: it knows ours by the Call-ID that it gave them itself."""
        message.headers["Call-ID"] = self.call.request.headers["Call-ID"]
        return message

    def _described(self, sdp: bytes) -> Draft:
        # pyVoIP's own description has one media line whatever was offered, one ptime, and a
        # version that never moves (RFC 3264 sections 6 and 8).
        draft = self._said()
        draft.describe(SDP_TYPE, sdp)
        return draft

    def _said(self) -> Draft:
        """Return what pyVoIP sent last; raises RuntimeError when it sent nothing."""
        drafts = self._wire.take()
        if not drafts:
            raise RuntimeError("pyVoIP said nothing")
        return drafts[-1]


def media_lines(sdp: bytes) -> MediaLines:
    """Return the port and the codecs of a description of ours."""
    try:
        description = parse(sdp)
    except SdpParseError:
        return _NO_MEDIA
    for line in description.media:
        if line.port:
            formats = formats_of(line, ("pcmu", "pcma"))
            codecs = {number: _CODECS[name] for number, name in formats.encodings.items()}
            events = formats.telephone_events.values()
            codecs.update((number, RTP.PayloadType.EVENT) for number in events)
            return {line.port: codecs}
    return _NO_MEDIA


def _with_status(draft: Draft, status: int, reason: str) -> Draft:
    draft.start_line = f"SIP/2.0 {status} {reason or reason_phrase(status)}"
    return draft
