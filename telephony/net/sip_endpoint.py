"""The user agent on the network: sockets in, sockets out, one timer."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.net.listen import Address, PortInUse, choose_local
from telephony.net.sip_stream import SipStreams, StreamLimits
from telephony.net.sip_udp import SipUdp
from telephony.net.sip_udp_sockets import SipUdpSockets
from telephony.net.sources import SourceGuard
from telephony.net.tls import TlsContexts
from telephony.net.undelivered import Undelivered
from telephony.sip.config import MessageLimits
from telephony.sip.events import Event
from telephony.sip.flow import Flow, Outgoing, Transport

ANY_PORT_TRIED = 20
REMEMBERED_FAILURES = 200

Trace = Callable[[Literal["received", "sent"], bytes, Flow, float], None]


class UserAgentCore(Protocol):
    """What the shell drives: :class:`telephony.sip.user_agent.UserAgent`."""

    def receive_message(self, data: bytes, flow: Flow, now: float) -> None: ...

    def transport_failed(self, flow: Flow, now: float) -> None: ...

    def datagram_undelivered(self, head: bytes, now: float) -> Flow | None: ...

    def next_timer(self) -> float | None: ...

    def handle_timer(self, now: float) -> None: ...

    def messages_to_send(self) -> Sequence[Outgoing]: ...

    def events_received(self) -> Sequence[Event]: ...


class SipEndpoint:
    """Runs a user agent on UDP, TCP and TLS, on any number of addresses of both IP versions.

    ``on_event`` gets every event in order, within the turn of the loop in which it happened. After
    a command to the user agent call :meth:`flush`; within ``on_event`` that is not needed.
    ``trace`` sees every message in both directions. ``guard`` is asked about every datagram,
    connection and message before it is parsed. ``tls`` is what connections of ours over TLS use;
    the first :meth:`listen_tls` sets it, if nothing did before.

    Each of ``flow_listeners`` hears of every connection that is lost or could not be made, after
    the user agent did; each of ``failure_listeners`` of the reason, if there is one, before.
    """

    def __init__(
        self,
        user_agent: UserAgentCore,
        loop: asyncio.AbstractEventLoop,
        on_event: Callable[[Event], None],
        clock: Callable[[], float] = monotonic,
        *,
        stream_limits: StreamLimits | None = None,
        message_limits: MessageLimits | None = None,
        trace: Trace | None = None,
        guard: SourceGuard | None = None,
        tls: TlsContexts | None = None,
        ids: Ids | None = None,
    ) -> None:
        self.user_agent = user_agent
        self.clock = clock
        self.trace = trace
        self.udp_sockets = SipUdpSockets(loop, self._received, clock, guard, self._undelivered)
        self.streams = SipStreams(
            loop,
            self._received,
            self._failed,
            clock,
            stream_limits,
            message_limits,
            guard=guard,
            ids=ids,
        )
        self.streams.tls = tls
        self.flow_listeners: list[Callable[[Flow], None]] = []
        self.failure_listeners: list[Callable[[Flow, str], None]] = []
        self._failures: OrderedDict[Flow, str] = OrderedDict()
        self._loop = loop
        self._on_event = on_event
        self._events: deque[Event] = deque()
        self._flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_deadline: float | None = None
        self._closed = False

    @property
    def udp(self) -> SipUdp | None:
        """The first UDP socket; all of them count in its ``stats``."""
        return self.udp_sockets.first

    async def listen(self, host: str, port: int, *, tcp: bool = True) -> int:
        """Open UDP and (on the same port) TCP; returns the port. Port 0 is one that both have free.

        Called again it opens another address, such as that of the other IP version.

        Raises:
            PortInUse: a process holds one of the two; nothing is left open.
            OSError: the address is not ours.
        """
        for _ in range(0 if port else ANY_PORT_TRIED - 1):
            try:
                return await self._listen(host, 0, tcp)
            except PortInUse:
                # The system chose a port by what UDP has free.
                continue
        return await self._listen(host, port, tcp)

    async def _listen(self, host: str, port: int, tcp: bool) -> int:
        opened = self.udp_sockets.open((host, port))
        bound = opened.local[1]
        if tcp:
            try:
                await self.streams.listen((host, bound))
            except BaseException:
                self.udp_sockets.close(opened)
                raise
        return bound

    async def listen_tls(self, host: str, port: int, tls: TlsContexts) -> int:
        """Accept TLS connections; returns the port.

        Raises CertificateProblem, PortInUse, or OSError when the address is not ours.
        """
        return (await self.streams.listen_tls((host, port), tls))[1]

    def flow_to(self, remote: Address, transport: Transport = "udp", server_name: str = "") -> Flow:
        """Return the flow for a new request to a numeric address.

        An open connection is used again. ``server_name`` is what the certificate of a TLS peer
        must be for. Raises OSError when there is no route, or no UDP socket of that IP version.
        """
        if transport == "udp":
            return Flow(transport, remote, self.udp_sockets.local_towards(remote))
        existing = self.streams.flow_to(remote, transport, server_name)
        if existing is not None:
            return existing
        local = choose_local(self.streams.bound[transport], remote)
        return Flow(transport, remote, local, server_name=server_name)

    def flush(self) -> None:
        """Send what the user agent wants sent, tell what happened, set the timer."""
        if self._flushing or self._closed:
            return
        self._flushing = True
        try:
            while self._send_all() or self._tell_next():
                pass
        finally:
            self._flushing = False
            if self._events:
                # A listener raised: the loop reports it, the events behind it still come.
                self._loop.call_soon(self.flush)
            self._arm_timer()

    async def close(self) -> None:
        """Send what is left, then close every socket. No event comes after this."""
        self.flush()
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.udp_sockets.close_all()
        await self.streams.close()

    def _received(self, data: bytes, flow: Flow) -> None:
        now = self.clock()
        if self.trace is not None:
            self.trace("received", data, flow, now)
        if self._failures:
            self._failures.pop(flow, None)
        self.user_agent.receive_message(data, flow, now)
        self.flush()

    def failure_of(self, flow: Flow) -> str:
        """Return why the connection of ``flow`` failed when it last did, "" if nobody knows."""
        return self._failures.get(flow, "")

    def _failed(self, flow: Flow, reason: str) -> None:
        if not self._closed:
            self._remember_failure(flow, reason)
            self.user_agent.transport_failed(flow, self.clock())
            self.flush()
            for listener in self.flow_listeners:
                listener(flow)

    def _undelivered(self, lost: Undelivered) -> None:
        """A request of ours that nobody takes may fail of it; its flow may be used again."""
        if self._closed:
            return
        flow = self.user_agent.datagram_undelivered(lost.head, self.clock())
        if flow is not None:
            self._remember_failure(flow, lost.reason)
            self.flush()

    def _remember_failure(self, flow: Flow, reason: str) -> None:
        self._failures.pop(flow, None)
        if not reason:
            return
        if len(self._failures) >= REMEMBERED_FAILURES:
            self._failures.popitem(last=False)
        self._failures[flow] = reason
        for listener in self.failure_listeners:
            listener(flow, reason)

    def _send_all(self) -> bool:
        """Write every message out; return whether there was one."""
        messages = self.user_agent.messages_to_send()
        for message in messages:
            if self.trace is not None:
                self.trace("sent", message.data, message.flow, self.clock())
            self._send(message.data, message.flow)
        return bool(messages)

    def _send(self, data: bytes, flow: Flow) -> None:
        if flow.reliable:
            self.streams.send(data, flow)
        elif not self.udp_sockets.send(data, flow):
            self.user_agent.transport_failed(flow, self.clock())

    def _tell_next(self) -> bool:
        """Deliver one event; what it makes us send goes out before the next one."""
        self._events.extend(self.user_agent.events_received())
        if not self._events:
            return False
        self._on_event(self._events.popleft())
        return True

    def _arm_timer(self) -> None:
        deadline = None if self._closed else self.user_agent.next_timer()
        if deadline == self._timer_deadline:
            return
        self._timer_deadline = deadline
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            # Whole milliseconds, rounded up: a timer of libuv would otherwise fire early.
            delay_ms = max(0, math.ceil((deadline - self.clock()) * 1000))
            self._timer = self._loop.call_later(delay_ms / 1000, self._time_came)

    def _time_came(self) -> None:
        self._timer = None
        self._timer_deadline = None
        self.user_agent.handle_timer(self.clock())
        self.flush()
