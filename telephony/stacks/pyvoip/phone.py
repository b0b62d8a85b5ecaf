"""pyVoIP's telephone and its call, without threads, ports and sound."""

from __future__ import annotations

from typing import Any

from telephony.base.ids import Ids
from telephony.sip.flow import Address
from telephony.stacks.pyvoip.client import Client, MediaLines
from telephony.stacks.pyvoip.library import RTP, SIP, VoIP
from telephony.stacks.pyvoip.wire import Wire


class MediaLine:
    """What pyVoIP has in the place of its RTP client: one port and its codecs.

    The packets are our media plane's business (:class:`stacks.rtp_media.RtpMedia`); pyVoIP only
    asks which ``m=`` line to write.
    """

    def __init__(self, port: int, codecs: dict[int, RTP.PayloadType]) -> None:
        # pyVoIP reads these by their names.
        self.inPort = port
        self.assoc = codecs

    def start(self) -> None:
        """Do nothing: media starts once the bridge has a model to talk to."""

    def stop(self) -> None:
        """Do nothing: the leg closes its media."""


class Call(VoIP.VoIPCall):
    """One call; its state is what pyVoIP says it is."""

    state: VoIP.CallState

    def __del__(self) -> None:
        # pyVoIP gives ports back here, whenever the garbage is collected; it has none of ours.
        pass

    def describe(self, media: MediaLines) -> None:
        """Answer, or offer, with these ports and codecs from now on."""
        self.RTPClients = [MediaLine(port, codecs) for port, codecs in media.items()]

    def refused(self) -> None:
        """Take a final response above 299; pyVoIP knows 404 and 503, and warns of them."""
        if self.state is VoIP.CallState.DIALING:
            self.state = VoIP.CallState.ENDED
            self.phone.calls.pop(self.call_id, None)

    def withdrawn(self) -> None:
        """Take a CANCEL; pyVoIP answers it and goes on ringing."""
        if self.state is VoIP.CallState.RINGING:
            self.state = VoIP.CallState.ENDED
            self.phone.calls.pop(self.call_id, None)


class Phone(VoIP.VoIPPhone):
    """A telephone with one call on it."""

    def __init__(self, wire: Wire, local: Address, remote: Address, tag: str, ids: Ids) -> None:
        super().__init__(remote[0], remote[1], "bot", "", myIP=local[0], sipPort=local[1])
        self.sip: Client = Client(self, wire, local, remote, tag, ids)
        self.NSD = True
        self._session = ids.uint16() + 1

    def callback(self, request: SIP.SIPMessage) -> None:
        if request.type == SIP.SIPMessageType.RESPONSE or request.method != "CANCEL":
            super().callback(request)
        elif (call := self.calls.get(request.headers["Call-ID"])) is not None:
            call.withdrawn()

    def _callback_MSG_Invite(self, request: SIP.SIPMessage) -> None:  # noqa: N802 - pyVoIP's name
        # pyVoIP rings at once, and tells of the call a second later in a thread of its own.
        call = self.calls.get(request.headers["Call-ID"])
        if call is None:
            self.sip.tagLibrary[request.headers["Call-ID"]] = self.sip.gen_tag()
            self._create_Call(request, self._session)
        elif call.state is not VoIP.CallState.RINGING:
            call.renegotiate(request)

    def _create_Call(self, request: SIP.SIPMessage, sess_id: int) -> None:  # noqa: N802
        # Ours, where pyVoIP has one with sockets and threads.
        self.calls[request.headers["Call-ID"]] = Call(
            self, VoIP.CallState.RINGING, request, sess_id, self.myIP, sendmode=self.recvmode
        )

    def place(self, number: str, media: MediaLines) -> Call:
        """Call ``number``; pyVoIP's call() takes a port of its own and has one codec."""
        sendtype = RTP.TransmitType.SENDRECV
        request, call_id, session = self.sip.invite(number, media, sendtype)
        call = Call(self, VoIP.CallState.DIALING, request, session, self.myIP, media, self.sendmode)
        call.describe(media)
        self.calls[call_id] = call
        return call

    def request_port(self, blocking: bool = True) -> int:
        # Ports are our media plane's.
        return 0

    def release_ports(self, call: Any = None) -> None:
        """Do nothing: there are none."""
