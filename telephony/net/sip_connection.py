"""One SIP connection over TCP or TLS: octets to messages, messages to octets, clocks on both."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from telephony.net.tls import certificate_names
from telephony.net.tls_session import TlsSession
from telephony.sip.flow import Flow
from telephony.sip.framing import StreamFramer, is_keepalive

if TYPE_CHECKING:
    from telephony.net.sip_stream import SipStreams

_PING = b"\r\n\r\n"
_START_OF_SIP = re.compile(rb"[A-Za-z0-9.!%*_+`'~/-]*(?:[ \t][\x21-\x7e\x80-\xff \t]*)?")
# Written data that the peer's kernel does not acknowledge for so long: the path is dead.
_UNACKNOWLEDGED_MS = 30_000
_REFUSALS_BEFORE_CLOSE = 64
_MESSAGES_PER_TURN = 32


class SipConnection(asyncio.Protocol):
    """A connection we opened keeps the flow it was opened for; one that a peer opened has the flow
    of its two ends. ``active_at`` is when something last came in or went out. ``failure`` is why it
    ended, "" when its peer just closed it.
    """

    def __init__(
        self, streams: SipStreams, flow: Flow | None = None, tls: TlsSession | None = None
    ) -> None:
        self.opened_by_us = flow is not None
        self.failure = ""
        self._streams = streams
        self._flow = flow
        self._tls = tls
        self._framer = StreamFramer(streams.message_limits)
        self._transport: asyncio.Transport | None = None
        self._opened_at = self.active_at = self._heard_at = streams.clock()
        self._message_began_at: float | None = None if flow else self._opened_at
        self._next_ping_at = streams.next_ping_at(self._opened_at)
        self._pinged_at: float | None = None
        self._ponged = False
        self._recognised = False
        self._refusals = 0
        self._backlog: deque[bytes] = deque()
        self._paused = False

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        _keep_alive(transport.get_extra_info("socket"))
        if self._flow is None:
            local = transport.get_extra_info("sockname")
            remote = transport.get_extra_info("peername")
            if not (local and remote):
                self._transport.abort()
                return
            self._flow = Flow("tls" if self._tls else "tcp", remote[:2], local[:2])
        if not self._streams.opened(self, self._flow):
            self._flow = None
            self._transport.abort()
        elif self._tls is not None and self.opened_by_us:
            self._tls.start()
            self._flush_tls(self._tls, self._transport)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if self._flow is None or transport is None or transport.is_closing():
            return
        self.active_at = self._heard_at = self._streams.clock()
        if self._tls is not None:
            data = self._decrypt(self._tls, data, transport)
        if not data:
            return
        if not self._recognised and not self._recognise(data):
            self._give_up_on_junk(transport)
            return
        messages = self._framer.receive(data)
        self._time_message(bool(messages), data)
        if (pong := self._framer.bytes_to_send()) and not self._pong(transport, pong, len(data)):
            return
        self._backlog += messages
        self._deliver_some()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and not self.failure:
            self.failure = reason_of(exc)
        elif self.opened_by_us and self._tls is not None and not self._tls.established:
            self.failure = self.failure or "closed by the peer within the TLS handshake"
        if self._flow is not None:
            self._streams.lost(self, self._flow)

    # Commands

    @property
    def source(self) -> str:
        """The address of the other end, "" before there is one."""
        return self._flow.remote[0] if self._flow is not None else ""

    def serves(self, server_name: str) -> bool:
        """Say whether the peer may get what is meant for ``server_name`` (RFC 5923 section 9.2)."""
        tls = self._streams.tls
        if self._tls is None or not server_name or self._flow is None:
            return True
        if self.opened_by_us and tls is not None and not tls.config.verify_server:
            return True
        names = (self._flow.server_name.lower(), *self._flow.peer_names)
        return server_name.lower() in names

    def send(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self.active_at = self._streams.clock()
        self._streams.stats.sent += 1
        self._write(transport, data)

    def close(self) -> None:
        """Close once everything written has left."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._tls is not None:
            self._tls.close()
            self._flush_tls(self._tls, transport)
        transport.close()

    def abort(self) -> None:
        """Close at once; what is not written yet is lost."""
        if self._transport is not None:
            self._transport.abort()

    def check_time(self, now: float) -> None:
        """Drop a peer that says nothing, or says it too slowly; ask whether it is still there."""
        limits = self._streams.limits
        if self._tls is not None and not self._tls.established:
            if now - self._opened_at > limits.handshake_timeout_s:
                self._time_out("slow", now)
            return
        began_at = self._message_began_at
        if began_at is not None and now - began_at > limits.message_timeout_s:
            self._time_out("slow", now)
        elif now - self.active_at > limits.idle_timeout_s:
            self._time_out("", now)
        elif self.opened_by_us and limits.keepalive_s:
            self._keep_path_open(now)

    # Keepalive (RFC 5626 section 4.4.1)

    def _keep_path_open(self, now: float) -> None:
        limits, stats = self._streams.limits, self._streams.stats
        if self._pinged_at is not None:
            answered = self._heard_at > self._pinged_at
            if not answered and now - self._pinged_at <= limits.pong_timeout_s:
                return
            self._pinged_at = None
            if answered:
                self._ponged = True
            else:
                stats.pongs_missing += 1
                if self._ponged or limits.require_pong:
                    self.failure = "keepalive is not answered"
                    self.abort()
                    return
        if now >= self._next_ping_at and self._transport is not None:
            self._next_ping_at = self._streams.next_ping_at(now)
            self._pinged_at = now
            stats.pings += 1
            self._framer.expect_pong()
            self._write(self._transport, _PING)

    # Octets

    def _decrypt(self, tls: TlsSession, data: bytes, transport: asyncio.Transport) -> bytes:
        established = tls.established
        text = tls.receive(data)
        self._flush_tls(tls, transport)
        if tls.established and not established and self._flow is not None:
            self._streams.stats.handshakes += 1
            names = certificate_names(tls.certificate)
            self._flow = replace(self._flow, peer_names=names)
        if tls.failure:
            self._tls_failed(tls, transport)
        elif tls.closed and not text:
            transport.close()
        return text

    def _tls_failed(self, tls: TlsSession, transport: asyncio.Transport) -> None:
        self.failure = tls.failure
        if not tls.established:
            self._streams.stats.handshakes_failed += 1
        if tls.plain:
            self.failure = "does not speak TLS" if self.opened_by_us else ""
            self._give_up_on_junk(transport)
        else:
            self._note("handshake_failed", self.active_at)
            # The alert goes out before the end, so that the peer can tell what it did wrong.
            transport.close()

    def _flush_tls(self, tls: TlsSession, transport: asyncio.Transport) -> None:
        if data := tls.bytes_to_send():
            transport.write(data)
        self._check_unsent(transport, tls.waiting_bytes)

    def _write(self, transport: asyncio.Transport, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data)
            self._flush_tls(self._tls, transport)
        else:
            transport.write(data)
            self._check_unsent(transport, 0)

    def _check_unsent(self, transport: asyncio.Transport, waiting_bytes: int) -> None:
        unsent_bytes = transport.get_write_buffer_size() + waiting_bytes
        if unsent_bytes > self._streams.limits.max_unsent_bytes:
            self._streams.stats.overflowed += 1
            self.failure = "peer does not read what is sent"
            transport.abort()

    # Messages

    def _deliver_some(self) -> None:
        """Hand over a bounded number: a peer with much to say must leave time for the calls."""
        flow, transport, backlog = self._flow, self._transport, self._backlog
        if flow is None or transport is None:
            return
        now = self._streams.clock()
        for _ in range(min(_MESSAGES_PER_TURN, len(backlog))):
            self._deliver(backlog.popleft(), flow, now)
            if not backlog:
                break
        if backlog:
            if not self._paused:
                self._paused = True
                transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._deliver_some)
            return
        if self._paused:
            self._paused = False
            if not transport.is_closing():
                transport.resume_reading()
        if self._framer.broken is not None and not transport.is_closing():
            self._streams.stats.broken += 1
            self._note("malformed", now)
            self.close()
        elif self._tls is not None and self._tls.closed:
            self.close()

    def _deliver(self, message: bytes, flow: Flow, now: float) -> None:
        """Hand a message over, unless its source sends too many."""
        streams = self._streams
        guard = streams.guard
        if guard is not None and not guard.admits(flow.remote[0], len(message), now):
            streams.stats.not_admitted += 1
            self._refusals += 1
            if self._refusals >= _REFUSALS_BEFORE_CLOSE:
                self._backlog.clear()
                self.abort()
            return
        self._refusals = 0
        streams.stats.received += 1
        streams.receive(message, flow)

    def _recognise(self, data: bytes) -> bool:
        """Say whether the first line of a connection can be SIP."""
        line, end, _ = data.lstrip(b"\r\n\0 ").partition(b"\n")
        line = line.rstrip(b"\r")
        if not _START_OF_SIP.fullmatch(line):
            return False
        if line:
            self._recognised = True
        return not end or b"SIP/" in line.upper()

    def _give_up_on_junk(self, transport: asyncio.Transport) -> None:
        """HTTP, TLS on the plain port, plain text on the TLS port, or noise."""
        self._streams.stats.junk += 1
        self._note("malformed", self.active_at)
        transport.abort()

    def _pong(self, transport: asyncio.Transport, pong: bytes, size_bytes: int) -> bool:
        """Answer pings; False when they are so many that the connection is closed."""
        guard = self._streams.guard
        if self.opened_by_us or guard is None:
            admitted = True
        else:
            admitted = guard.admits(self.source, size_bytes, self.active_at)
        if not admitted:
            self._streams.stats.not_admitted += 1
            transport.abort()
        else:
            self._write(transport, pong)
        return admitted

    def _time_out(self, offence: str, now: float) -> None:
        self._streams.stats.timed_out += 1
        self.failure = "timed out" if self.opened_by_us else ""
        if offence:
            self._note(offence, now)
        self.abort()

    def _note(self, offence: str, now: float) -> None:
        """Tell the guard; whom we called ourselves is not an attacker."""
        guard = self._streams.guard
        if guard is not None and self._flow is not None and not self.opened_by_us:
            guard.note(offence, self._flow.remote[0], now)

    def _time_message(self, complete: bool, data: bytes) -> None:
        if complete:
            self._message_began_at = None
        elif self._message_began_at is None and not is_keepalive(data):
            self._message_began_at = self.active_at


def reason_of(error: BaseException) -> str:
    """Return in a few words why there is no connection."""
    if isinstance(error, TimeoutError) and not error.errno:
        return "timed out"
    number = error.errno if isinstance(error, OSError) else None
    return (os.strerror(number) if number else str(error)).lower()


def _keep_alive(connected: socket.socket | None) -> None:
    """Let the kernel find out about peers that vanished: within two minutes."""
    if connected is None:
        return
    with suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
