"""TLS for SIP: the certificate we show, the peers we believe (RFC 3261 section 26, RFC 5922)."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from cryptography import x509

from telephony.base.errors import TelephonyError
from telephony.net.tls_session import TlsSession
from telephony.sip.flow import Flow

VerifyClient = Literal["no", "optional", "required"]

# Forward secrecy and authenticated encryption; TLS 1.3 has its own list, all of it good.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!DSS"
_VERIFY_CLIENT = {
    "no": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """PEM files and what they are for.

    ``certificate`` (with its chain) and ``private_key`` are shown to clients, and to servers that
    ask for one; without them we can only connect. ``ca`` holds the roots that peers are checked
    against; without it servers are checked against those of the system, and clients can not be.
    ``verify_client``: "optional" checks the certificates that clients show, "required" wants one.
    ``verify_server`` False takes any server for the right one: for a laboratory.
    ``allow_wildcards`` takes ``*.example.com`` for a name, which RFC 5922 section 7.2 forbids and
    some carriers need.
    """

    certificate: Path | None = None
    private_key: Path | None = None
    ca: Path | None = None
    verify_client: VerifyClient = "no"
    verify_server: bool = True
    allow_wildcards: bool = False
    ciphers: str = _CIPHERS


class CertificateProblem(TelephonyError):  # noqa: N818 - what is wrong, not a fault of ours
    """A file of the TLS settings can not be used; ``file`` is its path, "" for a setting."""

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{file}: {reason}" if file else reason)


class TlsContexts:
    """The certificates in use; connections take what is here when they open.

    Raises:
        CertificateProblem: a file is missing, broken or does not fit.
    """

    def __init__(self, config: TlsConfig) -> None:
        self.config = config
        self.server: ssl.SSLContext | None = None
        self.client: ssl.SSLContext
        self.not_after: datetime | None = None
        self.reload()

    def reload(self, config: TlsConfig | None = None) -> None:
        """Read the files again, or those of another config; open connections stay as they are.

        When CertificateProblem is raised, what was loaded before goes on being used.
        """
        wanted = config or self.config
        server = _server_context(wanted) if wanted.certificate else None
        client = _client_context(wanted)
        not_after = _not_after(wanted.certificate) if wanted.certificate else None
        self.config, self.server, self.client, self.not_after = wanted, server, client, not_after

    def server_session(self) -> TlsSession:
        """Return the TLS of a connection that a peer opened to us."""
        if self.server is None:
            raise CertificateProblem("", "a TLS listener needs a certificate")
        return TlsSession(self.server, server_side=True)

    def client_session(self, flow: Flow) -> TlsSession:
        """Return the TLS of a connection of ours.

        Its peer must show a certificate for ``flow.server_name``; without one, for any of the
        names it had before (``peer_names``), else for its address.
        """
        if flow.server_name:
            expected: tuple[str, ...] = (flow.server_name,)
        else:
            expected = flow.peer_names or (flow.remote[0],)

        def accepts(certificate: Mapping[str, Any]) -> bool:
            if not self.config.verify_server:
                return True
            wildcards = self.config.allow_wildcards
            return any(is_named(certificate, name, wildcards=wildcards) for name in expected)

        return TlsSession(
            self.client, server_side=False, server_name=expected[0], accepts_peer=accepts
        )


def certificate_names(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the domains that a verified certificate speaks for, in lower case (section 7.1).

    ``certificate`` is what ``SSLObject.getpeercert()`` returns. SIP URIs without a user come
    first and, when there is one, alone; then DNS names; the common name only when the certificate
    has no alternative names at all.
    """
    alternatives = certificate.get("subjectAltName", ())
    uris = [domain for kind, value in alternatives if kind == "URI" and (domain := _domain(value))]
    names = uris or [value for kind, value in alternatives if kind == "DNS"]
    if not alternatives:
        subject = [pair for part in certificate.get("subject", ()) for pair in part]
        names = [value for kind, value in subject if kind == "commonName"]
    return tuple(dict.fromkeys(name.lower().rstrip(".") for name in names))


def is_named(certificate: Mapping[str, Any], name: str, *, wildcards: bool = False) -> bool:
    """Say whether a verified certificate is for ``name``, a domain or a numeric address.

    Names match as a whole (section 7.2); with ``wildcards`` a leftmost ``*`` stands for one label.
    """
    wanted = name.lower().rstrip(".")
    names = certificate_names(certificate)
    if wanted in names or wanted in _addresses(certificate):
        return True
    _label, dot, parent = wanted.partition(".")
    return wildcards and "." in parent and f"*{dot}{parent}" in names


def _domain(uri: str) -> str:
    """Return the host of a SIP URI that names no user, "" for every other URI."""
    scheme, _, rest = uri.partition(":")
    host = rest.partition(";")[0].partition("?")[0]
    if scheme.lower() not in ("sip", "sips") or not host or "@" in rest:
        return ""
    if host[:1] == "[":
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _addresses(certificate: Mapping[str, Any]) -> Iterable[str]:
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "IP Address":
            with suppress(ValueError):
                yield str(ipaddress.ip_address(value.strip()))


def _server_context(config: TlsConfig) -> ssl.SSLContext:
    context = _context(ssl.PROTOCOL_TLS_SERVER, config)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.verify_mode = _VERIFY_CLIENT[config.verify_client]
    if config.verify_client != "no" and config.ca is None:
        # The roots of the system would let in whoever can buy a certificate.
        raise CertificateProblem("", "to verify clients a file of their CAs is needed")
    return context


def _client_context(config: TlsConfig) -> ssl.SSLContext:
    context = _context(ssl.PROTOCOL_TLS_CLIENT, config)
    # Names are compared as RFC 5922 says, which is not how web browsers do it.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if config.verify_server else ssl.CERT_NONE
    if config.ca is None and config.verify_server:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def _context(protocol: ssl._SSLMethod, config: TlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        context.set_ciphers(config.ciphers)
    except ssl.SSLError:
        raise CertificateProblem("", f"no cipher is called {config.ciphers!r}") from None
    _load_certificate(context, config)
    if config.ca is not None:
        try:
            context.load_verify_locations(config.ca)
        except OSError as error:
            raise CertificateProblem(str(config.ca), _reason(error)) from None
    return context


def _load_certificate(context: ssl.SSLContext, config: TlsConfig) -> None:
    if config.certificate is None:
        return

    def refuse() -> str:
        # Without this OpenSSL would ask on the terminal, and wait.
        raise CertificateProblem(str(config.private_key), "the private key is encrypted")

    key = config.private_key or config.certificate
    for path in (config.certificate, key):
        try:
            path.open("rb").close()
        except OSError as error:
            raise CertificateProblem(str(path), _reason(error)) from None
    try:
        context.load_cert_chain(config.certificate, key, refuse)
    except ssl.SSLError as error:
        what = "the private key is not of this certificate"
        reason = what if error.reason == "KEY_VALUES_MISMATCH" else _reason(error)
        raise CertificateProblem(str(config.certificate), reason) from None


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        detail = (error.reason or "").lower().replace("_", " ")
        return f"no PEM file that can be used ({detail})" if detail else "no PEM file"
    return (error.strerror or str(error)).lower()


def _not_after(certificate: Path) -> datetime:
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except ValueError as error:
        raise CertificateProblem(str(certificate), str(error)) from None
