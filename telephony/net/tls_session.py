"""TLS of one connection without its socket: octets of the wire in, octets of SIP out."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any

_READ_BYTES = 65536
_ALERT_RECORD = 21
_HANDSHAKE_RECORD = 22
# Self-signed, alone or in its chain; no issuer found; the chain ends too early (X509_V_ERR_...).
_UNKNOWN_AUTHORITY = frozenset((18, 19, 20, 21))

AcceptsPeer = Callable[[Mapping[str, Any]], bool]


class TlsSession:
    """One end of a TLS connection.

    After ``start``, ``receive``, ``write`` and ``close`` send ``bytes_to_send()``. A session with
    a ``failure`` is over: send what is left (the alert that tells the peer) and close. ``closed``
    is True once the peer said that it sends no more. ``accepts_peer`` decides on the certificate
    of the other end, which OpenSSL has verified before. ``plain`` is True when the peer's first
    octets were not TLS at all.
    """

    __slots__ = (
        "_accepts_peer",
        "_heard",
        "_incoming",
        "_object",
        "_outgoing",
        "_server_name",
        "_waiting",
        "certificate",
        "closed",
        "established",
        "failure",
        "plain",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_name: str = "",
        accepts_peer: AcceptsPeer | None = None,
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side, server_name or None
        )
        self._accepts_peer = accepts_peer
        self._server_name = server_name
        self._waiting: list[bytes] = []
        self._heard = False
        self.certificate: Mapping[str, Any] = {}
        self.established = False
        self.closed = False
        self.plain = False
        self.failure = ""

    @property
    def waiting_bytes(self) -> int:
        """How much was written before the handshake was over, and waits for it."""
        return sum(map(len, self._waiting))

    def start(self) -> None:
        """Begin the handshake; for the side that connects."""
        self._shake_hands()

    def receive(self, data: bytes) -> bytes:
        """Take octets of the wire; return those of the peer's messages."""
        if self.failure or self.closed:
            return b""
        if not self._heard and data:
            # HTTP, SIP without TLS, or a scanner's probe.
            self._heard = True
            self.plain = data[0] not in (_ALERT_RECORD, _HANDSHAKE_RECORD)
        self._incoming.write(data)
        if not self.established:
            self._shake_hands()
        return self._read() if self.established else b""

    def write(self, data: bytes) -> None:
        """Encrypt ``data``, or keep it until the handshake is over."""
        if self.failure:
            return
        if not self.established:
            self._waiting.append(data)
            return
        try:
            self._object.write(data)
        except ssl.SSLError as error:
            self._fail(error)

    def bytes_to_send(self) -> bytes:
        return self._outgoing.read()

    def close(self) -> None:
        """Say that nothing more comes from us."""
        if self.established and not self.failure:
            try:
                self._object.unwrap()
            except ssl.SSLError:
                # The peer's own close is not waited for.
                pass

    def _shake_hands(self) -> None:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            self._fail(error)
            return
        certificate = self._object.getpeercert() or {}
        if self._accepts_peer is not None and not self._accepts_peer(certificate):
            self.failure = f"certificate is not for the name {self._server_name}"
            return
        self.certificate = certificate
        self.established = True
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self.write(data)

    def _read(self) -> bytes:
        chunks: list[bytes] = []
        while True:
            try:
                chunk = self._object.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                chunk = b""
            except ssl.SSLError as error:
                self._fail(error)
                break
            if not chunk:
                self.closed = True
                break
            chunks.append(chunk)
        return b"".join(chunks)

    def _fail(self, error: ssl.SSLError) -> None:
        """Remember why; never with what the peer sent in it."""
        if isinstance(error, ssl.SSLCertVerificationError):
            if error.verify_code in _UNKNOWN_AUTHORITY:
                self.failure = "certificate is not signed by an authority of tls.ca"
            else:
                self.failure = f"certificate is refused: {error.verify_message}"
        else:
            self.failure = (error.reason or "tls error").lower().replace("_", " ")
        self._waiting.clear()
