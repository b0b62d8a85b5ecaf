"""A leg's RTCP: the port above that of RTP, or the same one, and what goes over it."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.base.interfaces import Address, Clock
from telephony.net.clock import utc_now
from telephony.net.rtp_endpoint import MediaEndpoint
from telephony.rtp.rtcp import RtcpConfig, RtcpSession
from telephony.rtp.session import RtpSession
from telephony.rtp.srtp import SrtpSession
from telephony.sdp.offer_answer import NegotiatedMedia
from telephony.sdp.rtcp_attributes import RtcpPeer
from telephony.stacks.media_config import RtcpPolicy

_NEVER = math.inf


class RtpControl:
    """Sends and takes the RTCP of one leg, from its first negotiation to its goodbye.

    It has no timer: whoever ticks compares ``due_at``, and calls :meth:`send_report` from then
    on. A fault while a datagram is taken goes to ``on_error``.
    """

    def __init__(
        self,
        policy: RtcpPolicy,
        rtp: MediaEndpoint,
        clock: Clock,
        ids: Ids,
        on_error: Callable[[Exception], None],
    ) -> None:
        self.due_at = _NEVER
        self.rtcp: RtcpSession | None = None
        self.unbound = 0
        """How often the port above that of RTP could not be had; nothing is sent then."""
        self.sent_by_rtp = 0
        """Datagrams that went out of the port of RTP, and are counted there too."""
        self._policy = policy
        self._rtp = rtp
        self._clock = clock
        self._ids = ids
        self._on_error = on_error
        self._endpoint: MediaEndpoint | None = None
        self._remote: Address | None = None
        self._closed = False

    def negotiated(
        self, session: RtpSession, media: NegotiatedMedia, srtp: SrtpSession | None, now: float
    ) -> None:
        """Take the outcome of an offer/answer; ``srtp`` is None for a peer with plain RTP."""
        if not self._policy.enabled or self._closed:
            return
        rtcp = self.rtcp
        if rtcp is None:
            rtcp = self.rtcp = self._open_session(session, now)
        if media.remote is not None and media.remote != self._remote:
            if self._remote is not None:
                rtcp.change_peer()
            self._remote = media.remote
        reachable = self._use_port(media.rtcp)
        rtcp.change_remote(media.rtcp.address if reachable else None, media.rtcp.mux)
        rtcp.use_srtp(srtp)

    def _open_session(self, session: RtpSession, now: float) -> RtcpSession:
        config = RtcpConfig(self._policy.interval_s, utc_now().timestamp() - now)
        rtcp = RtcpSession(session, config, self._ids, now)
        session.on_rtcp = rtcp.receive_datagram
        self.due_at = rtcp.next_timer
        return rtcp

    def _use_port(self, peer: RtcpPeer) -> bool:
        """Open or close the port of RTCP alone; return whether RTCP has one."""
        if peer.mux:
            self._close_port()
        elif self._endpoint is None and peer.address is not None:
            try:
                self._endpoint = self._rtp.open_above(self._received)
            except OSError:
                # Another process has it. The call does not depend on RTCP.
                self.unbound += 1
                return False
        return True

    def _received(self, data: bytes, source: Address, now: float) -> None:
        rtcp = self.rtcp
        if rtcp is None:
            return
        try:
            rtcp.receive_datagram(data, source, now)
        except Exception as error:
            self._on_error(error)

    def send_report(self, now: float) -> None:
        """Send the report that is due, unless it is put off; ``due_at`` moves."""
        rtcp = self.rtcp
        if rtcp is None:
            self.due_at = _NEVER
            return
        report = rtcp.handle_timer(now)
        self.due_at = rtcp.next_timer
        if report is not None:
            self._send(rtcp, report)

    def _send(self, rtcp: RtcpSession, data: bytes) -> None:
        destination = rtcp.destination
        if destination is None:
            return
        if self._endpoint is not None:
            self._endpoint.send(data, destination)
            return
        before = self._rtp.stats.sent
        self._rtp.send(data, destination)
        self.sent_by_rtp += self._rtp.stats.sent - before

    def close(self) -> None:
        """Say goodbye and close the port of RTCP. Twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self.due_at = _NEVER
        if self.rtcp is not None and not self._rtp.closed:
            # A key at its end is no reason to keep the ports.
            with suppress(LocalProtocolError):
                goodbye = self.rtcp.goodbye(self._clock())
                if goodbye is not None:
                    self._send(self.rtcp, goodbye)
        self._close_port()

    def _close_port(self) -> None:
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.close()
