"""A web server on loopback with a certificate of its own, for what is fetched over https."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def write_certificate(folder: Path, *names: str) -> Path:
    """Write a self-signed certificate and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [x509.DNSName(name) for name in names]
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([*alternatives, address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "web.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


class HttpsServer:
    """Answers every path with ``answer``; ``asked`` are the paths in the order they came."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.ca_file = write_certificate(folder, *(names or ("stir.test",)))
        self.asked: list[str] = []
        self.answer: Answer = self._nothing
        self.was_asked = asyncio.Event()
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._get)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, path: str, host: str = "stir.test") -> str:
        return f"https://{host}:{self.port}/{path}"

    async def _get(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        self.was_asked.set()
        return await self.answer(request)

    @staticmethod
    async def _nothing(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=404)


class FixedResolver(AbstractResolver):
    """Resolves every name to the same addresses, and remembers which it was asked for."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses or ("127.0.0.1",)
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=2, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass
