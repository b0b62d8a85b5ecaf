"""pyVoIP's SIP client without its socket, its threads and its waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony.base.ids import Ids
from telephony.sip.flow import Address
from telephony.stacks.pyvoip.library import RTP, SIP
from telephony.stacks.pyvoip.wire import Wire

if TYPE_CHECKING:
    from telephony.stacks.pyvoip.phone import Phone

MediaLines = dict[int, dict[int, RTP.PayloadType]]
"""Codecs by payload type, by port: what pyVoIP's generators write ``m=`` lines from."""


class Client(SIP.SIPClient):
    """Writes the messages of one call, or of one registration: ``tag`` is our side of it.

    One for each call, as the tags, counters and Call-IDs that pyVoIP keeps are never given back.
    """

    def __init__(
        self, phone: Phone | None, wire: Wire, local: Address, remote: Address, tag: str, ids: Ids
    ) -> None:
        # gen_tag() is called by what follows.
        self._own_tag = tag
        self._ids = ids
        super().__init__(
            remote[0],
            remote[1],
            "bot",
            "",
            phone,
            myIP=local[0],
            myPort=local[1],
            callCallback=phone.callback if phone is not None else None,
        )
        self.s = self.out = wire
        self.NSD = True

    def gen_tag(self) -> str:
        # pyVoIP draws another tag for every message; a dialog has one (RFC 3261 section 12.1.1).
        return self._own_tag

    def gen_call_id(self) -> str:
        # pyVoIP's is the hash of a counter: the same ones again after every start.
        return self._ids.token(12)

    def gen_branch(self, length: int = 32) -> str:
        # Randomness comes from the injected source.
        return f"z9hG4bK{self._ids.token()}"

    def gen_urn_uuid(self) -> str:
        # Our Contact carries no +sip.instance: registrars would want outbound with it (RFC 5626).
        return ""

    def gen_cancel(self, request: SIP.SIPMessage) -> str:
        """Write the CANCEL of an INVITE of ours, which pyVoIP can't (RFC 3261 section 9.1)."""
        headers = request.headers
        return (
            f"CANCEL {headers['To']['address']} SIP/2.0\r\n"
            f"{self._gen_response_via_header(request)}"
            "Max-Forwards: 70\r\n"
            f"To: {headers['To']['raw']}\r\n"
            f"From: {headers['From']['raw']};tag={headers['From']['tag']}\r\n"
            f"Call-ID: {headers['Call-ID']}\r\n"
            f"CSeq: {headers['CSeq']['check']} CANCEL\r\n"
            "Content-Length: 0\r\n\r\n"
        )

    def gen_options(self) -> str:
        """Write OPTIONS, which pyVoIP can't, after its REGISTER without what a binding needs."""
        lines = self.gen_first_response().split("\r\n")
        left_out = ("Contact:", "Expires:", "Allow-Events:")
        kept = [line for line in lines if not line.startswith(left_out)]
        return "\r\n".join(kept).replace("REGISTER", "OPTIONS")

    def invite(self, number: str, ms: MediaLines, sendtype: Any) -> tuple[SIP.SIPMessage, str, int]:
        # pyVoIP waits here for the first response, in the caller's thread.
        branch, call_id, session = self.gen_branch(), self.gen_call_id(), self.sessID.next()
        text = self.gen_invite(number, str(session), ms, sendtype, branch, call_id)
        data = text.encode("utf8")
        self.out.sendto(data, (self.server, self.port))
        return SIP.SIPMessage(data), call_id, session

    def start(self) -> None:
        # The socket is ours: there is no port to open and no thread to read it.
        self.NSD = True

    def stop(self) -> None:
        self.NSD = False
