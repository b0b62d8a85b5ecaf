"""The sockets of SIP: PJSIP opens them, we find out beforehand whether it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pjsua2 as pj

from telephony.net.listen import Address, PortInUse, bind_tcp, bind_udp, is_wildcard
from telephony.net.tls import TlsConfig
from telephony.sip.flow import Transport
from telephony.stacks.pjsip.accounts import system_roots
from telephony.stacks.pjsip.config import PjsipConfig

ANY_PORT_TRIED: Final = 20

_KINDS: Final[dict[Transport, int]] = {
    "udp": int(pj.PJSIP_TRANSPORT_UDP),
    "tcp": int(pj.PJSIP_TRANSPORT_TCP),
    "tls": int(pj.PJSIP_TRANSPORT_TLS),
}


CreateTransport = Callable[[int, Any], int]
"""Takes PJSIP's number of a kind and the settings, returns its number of the socket."""


class Transports:
    """What is listened on: ``bound`` by transport, in the order of opening."""

    def __init__(self, config: PjsipConfig, create: CreateTransport) -> None:
        self._config = config
        self._create = create
        self.bound: dict[Transport, list[Address]] = {"udp": [], "tcp": [], "tls": []}
        self.ids: dict[tuple[Transport, Address], int] = {}

    def open_first(self) -> int:
        """Open a socket that nobody knows, and return PJSIP's number of it."""
        made = pj.TransportConfig()
        made.boundAddress = "127.0.0.1"
        return int(self._create(_KINDS["udp"], made))

    def open(self, kinds: tuple[Transport, ...], host: str, port: int) -> int:
        """Listen on one port for all of ``kinds``; in the worker's thread. Returns the port.

        Raises PortInUse, or OSError for an address that is not ours.
        """
        port = free_port(kinds, host, port)
        for kind in kinds:
            made = self._create(_KINDS[kind], self._transport(kind, host, port))
            self.bound[kind].append((host, port))
            self.ids[kind, (host, port)] = int(made)
        return port

    def id_of(self, kind: Transport, local: Address) -> int | None:
        """Return PJSIP's number of the socket with this address; wildcards have any."""
        for (bound_kind, (host, port)), number in self.ids.items():
            if bound_kind == kind and port == local[1] and (is_wildcard(host) or host == local[0]):
                return number
        return None

    def _transport(self, kind: Transport, host: str, port: int) -> Any:
        made = pj.TransportConfig()
        made.port = port
        if not is_wildcard(host):
            made.boundAddress = host
        if self._config.advertised_host is not None:
            made.publicAddress = self._config.advertised_host
        if kind == "tls":
            set_up_tls(made.tlsConfig, self._config.tls)
        return made


def set_up_tls(made: Any, tls: TlsConfig) -> None:
    made.certFile = str(tls.certificate or "")
    made.privKeyFile = str(tls.private_key or "")
    made.CaListFile = str(tls.ca or "") or system_roots()
    made.verifyServer = tls.verify_server
    made.verifyClient = tls.verify_client != "no"
    made.requireClientCert = tls.verify_client == "required"


def free_port(kinds: tuple[Transport, ...], host: str, port: int) -> int:
    """Return a port that is free for all of ``kinds``; port 0 is any. Raises PortInUse, OSError."""
    for _ in range(0 if port else ANY_PORT_TRIED - 1):
        try:
            return _probe(kinds, host, 0)
        except PortInUse:
            continue
    return _probe(kinds, host, port)


def _probe(kinds: tuple[Transport, ...], host: str, port: int) -> int:
    """Bind and let go again: PJSIP tells a taken port from a wrong address by a number only."""
    for kind in kinds:
        probe = bind_udp((host, port), 65536) if kind == "udp" else bind_tcp((host, port))
        port = int(probe.getsockname()[1])
        probe.close()
    return port
