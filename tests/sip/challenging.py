"""A user agent behind a server that wants credentials for every request."""

from __future__ import annotations

from telephony.base.ids import Ids
from telephony.sip.credentials import Credentials
from telephony.sip.digest_server import DigestServer, DigestServerConfig, Stale, Verified
from telephony.sip.events import Event
from telephony.sip.flow import Flow, Outgoing
from telephony.sip.user_agent import UserAgent
from tests.sip.wire import header, start_line

ALICE = Credentials("alice", "secret")


def challenge_lines(
    status: int = 407,
    nonce: str = "n1",
    *,
    realm: str = "far.example",
    stale: bool = False,
    algorithm: str = "MD5",
    qop: str = "auth",
) -> str:
    """Return the header of a 401 or 407 written by hand."""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    mark = ", stale=true" if stale else ""
    wanted = f', qop="{qop}"' if qop else ""
    return (
        f'{name}: Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}{wanted}{mark}\r\n'
    )


def challenge(
    request: bytes, server: DigestServer, status: int, source: str, stale: bool, now: float
) -> bytes:
    """Answer ``request`` with a challenge, as a proxy does."""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    asked = server.challenges(source, now, stale=stale)
    to = header(request, "To")
    lines = [
        f"SIP/2.0 {status} Who are you",
        f"Via: {header(request, 'Via')}",
        f"From: {header(request, 'From')}",
        f"To: {to}" if ";tag=" in to else f"To: {to};tag=gate",
        f"Call-ID: {header(request, 'Call-ID')}",
        f"CSeq: {header(request, 'CSeq')}",
        *(f"{name}: {value}" for value in asked),
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


class Challenger:
    """Looks like a UserAgent; requests without good credentials do not get to ``inner``.

    ``challenged`` and ``passed`` hold the methods of requests, repeated ones left out.
    """

    def __init__(self, inner: UserAgent, status: int = 407, nonce_lifetime_s: float = 300) -> None:
        self.inner = inner
        config = DigestServerConfig("far.example", nonce_lifetime_s=nonce_lifetime_s)
        self._server = DigestServer(config, Ids.seeded(99))
        self._status = status
        self._answered: dict[bytes, bytes | None] = {}
        self._outbox: list[Outgoing] = []
        self.challenged: list[str] = []
        self.passed: list[str] = []

    def receive_message(self, data: bytes, flow: Flow, now: float) -> None:
        method = start_line(data)
        if " " in method or method in ("ACK", "CANCEL"):
            self.inner.receive_message(data, flow, now)
            return
        if data not in self._answered:
            self._answered[data] = self._refusal(data, method, flow, now)
        refusal = self._answered[data]
        if refusal is None:
            self.inner.receive_message(data, flow, now)
        else:
            self._outbox.append(Outgoing(refusal, flow))

    def _refusal(self, data: bytes, method: str, flow: Flow, now: float) -> bytes | None:
        name = "Authorization" if self._status == 401 else "Proxy-Authorization"
        uri = data.split(b" ")[1].decode()
        source = flow.remote[0]
        value = header(data, name)
        verdict = self._server.verify(value, method, uri, source, {"alice": "secret"}.get, now)
        if isinstance(verdict, Verified):
            self.passed.append(method)
            return None
        self.challenged.append(method)
        stale = isinstance(verdict, Stale)
        return challenge(data, self._server, self._status, source, stale, now)

    def messages_to_send(self) -> list[Outgoing]:
        messages, self._outbox = self._outbox, []
        return messages + self.inner.messages_to_send()

    def events_received(self) -> list[Event]:
        return self.inner.events_received()

    def next_timer(self) -> float | None:
        return self.inner.next_timer()

    def handle_timer(self, now: float) -> None:
        self.inner.handle_timer(now)
