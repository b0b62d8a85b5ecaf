"""Sockets that wait for peers, and what to say when a port is taken."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

from telephony.base.errors import TelephonyError

Address = tuple[str, int]


class PortInUse(TelephonyError):  # noqa: N818
    """Another process holds the port; the caller may try the next one."""

    def __init__(self, transport: str, host: str, port: int) -> None:
        self.transport = transport
        self.host = host
        self.port = port
        super().__init__(f"{transport} port {port} on {host} is in use by another process")


def bind_udp(local: Address, receive_buffer_bytes: int) -> socket.socket:
    """Return a non-blocking UDP socket; raises PortInUse, or OSError for an address not ours."""
    udp = _open(local, socket.SOCK_DGRAM)
    try:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        _bind(udp, local, "UDP")
    except BaseException:
        udp.close()
        raise
    return udp


def bind_tcp(local: Address) -> socket.socket:
    """Return a bound, non-blocking TCP socket; raises as :func:`bind_udp`."""
    tcp = _open(local, socket.SOCK_STREAM)
    try:
        # Connections of an earlier run that linger in TIME_WAIT do not hold the port.
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(tcp, local, "TCP")
        # Linux lets two sockets bind with SO_REUSEADDR; the second one fails only here.
        _listen(tcp, local)
    except BaseException:
        tcp.close()
        raise
    return tcp


def local_address_towards(remote: Address) -> str:
    """Return the address of ours that packets to ``remote`` leave from; sends nothing."""
    family = socket.AF_INET6 if is_ipv6(remote[0]) else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(remote)
        return str(probe.getsockname()[0])


def choose_local(bound: Iterable[Address], remote: Address) -> Address:
    """Return which of our bound addresses packets to ``remote`` leave from.

    A wildcard becomes the address of the route. Without any of the right family the port is 0.
    Raises OSError when there is no route.
    """
    fitting = [local for local in bound if is_ipv6(local[0]) == is_ipv6(remote[0])]
    if len(fitting) == 1 and not is_wildcard(fitting[0][0]):
        return fitting[0]
    source = local_address_towards(remote)
    for host, port in fitting:
        if host == source:
            return host, port
    for host, port in fitting:
        if is_wildcard(host):
            return source, port
    return fitting[0] if fitting else (source, 0)


def is_ipv6(host: str) -> bool:
    """Tell the family of a numeric address."""
    return ":" in host


def is_wildcard(host: str) -> bool:
    return host in ("", "0.0.0.0", "::")


def _open(local: Address, kind: socket.SocketKind) -> socket.socket:
    ipv6 = is_ipv6(local[0])
    opened = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, kind)
    opened.setblocking(False)
    if ipv6:
        # "::" and "0.0.0.0" are two sockets, and no peer has an address like ::ffff:192.0.2.1.
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return opened


def _bind(opened: socket.socket, local: Address, transport: str) -> None:
    try:
        opened.bind(local)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(transport, *local) from error
        raise


def _listen(tcp: socket.socket, local: Address) -> None:
    try:
        tcp.listen(512)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse("TCP", *local) from error
        raise
