"""Whoever sends SIP over UDP from an address of his own: requests made by hand, answers kept."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

Address = tuple[str, int]

_TAG = re.compile(rb"^To:[^\r\n]*;tag=([^\s;]+)", re.IGNORECASE | re.MULTILINE)
_CONTACT = re.compile(rb"^Contact:[^<\r\n]*<([^>]+)>", re.IGNORECASE | re.MULTILINE)
_MEDIA = re.compile(rb"^m=audio ([0-9]+)", re.MULTILINE)
_numbers = itertools.count(1)


def sdp(host: str, port: int) -> bytes:
    lines = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0")
    return "\r\n".join((*lines, f"m=audio {port} RTP/AVP 0", "")).encode()


def status_of(message: bytes) -> int:
    """Return the status of a response, 0 for a request."""
    return int(message[8:11]) if message.startswith(b"SIP/2.0 ") else 0


class SipSource(asyncio.DatagramProtocol):
    """One address; ``received`` is every datagram that came back, in order."""

    def __init__(self, bot: Address) -> None:
        self.bot = bot
        self.received: list[bytes] = []
        self._came = asyncio.Event()
        self._transport: asyncio.DatagramTransport

    @property
    def address(self) -> Address:
        host, port = self._transport.get_extra_info("sockname")[:2]
        return str(host), int(port)

    @property
    def statuses(self) -> list[int]:
        return [status_of(message) for message in self.received]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.received.append(data)
        self._came.set()

    def error_received(self, exc: Exception) -> None:
        """A port that is closed is no answer either."""

    def send(self, data: bytes, to: Address | None = None) -> None:
        self._transport.sendto(data, to or self.bot)

    def request(
        self,
        method: str,
        user: str = "bot",
        *,
        call_id: str = "",
        cseq: int = 1,
        to_tag: str = "",
        uri: str = "",
        headers: str = "",
        body: bytes = b"",
        transport: str = "UDP",
    ) -> bytes:
        """Write a request; without ``call_id`` it begins something new."""
        number = next(_numbers)
        host, port = self.address
        target = uri or f"sip:{user}@{self.bot[0]}:{self.bot[1]}"
        kind = "Content-Type: application/sdp\r\n" if body else ""
        tag = f";tag={to_tag}" if to_tag else ""
        text = (
            f"{method} {target} SIP/2.0\r\n"
            f"Via: SIP/2.0/{transport} {host}:{port};rport;branch=z9hG4bKsource{number}\r\n"
            f"From: <sip:+15550199@{host}>;tag=from-{call_id or number}\r\n"
            f"To: <sip:{user}@{self.bot[0]}>{tag}\r\n"
            f"Call-ID: {call_id or f'source-{number}'}\r\nCSeq: {cseq} {method}\r\n"
            f"Contact: <sip:source@{host}:{port}>\r\nMax-Forwards: 70\r\n"
            f"{headers}{kind}Content-Length: {len(body)}\r\n\r\n"
        )
        return text.encode() + body

    async def answer(self, call_id: str, cseq: int = 1, at_least: int = 200) -> bytes:
        """Wait for a response of at least that status; pytest's timeout is the limit."""
        while True:
            for message in self.received:
                head = message.partition(b"\r\n\r\n")[0].decode().lower()
                if f"call-id: {call_id}".lower() not in head or f"cseq: {cseq} " not in head:
                    continue
                if status_of(message) >= at_least:
                    return message
            self._came.clear()
            await self._came.wait()

    async def ask(self, method: str, user: str = "bot", **options: object) -> bytes:
        """Send a request, again and again as UDP asks for it, and return its final response."""
        call_id = str(options.pop("call_id", "")) or f"ask-{next(_numbers)}"
        data = self.request(method, user, call_id=call_id, **options)  # type: ignore[arg-type]
        waiting = asyncio.ensure_future(self.answer(call_id, cast(int, options.get("cseq", 1))))
        while True:
            self.send(data)
            done, _ = await asyncio.wait([waiting], timeout=0.5)
            if done:
                return waiting.result()


class Dialog:
    """A call that ``source`` made, as its 200 tells of it."""

    def __init__(self, source: SipSource, call_id: str, answer: bytes, cseq: int) -> None:
        tag, contact, media = (p.search(answer) for p in (_TAG, _CONTACT, _MEDIA))
        assert tag, answer
        assert contact, answer
        assert media, answer
        self.source = source
        self.call_id = call_id
        self.to_tag = tag[1].decode()
        self.uri = contact[1].decode()
        self.media: Address = (source.bot[0], int(media[1]))
        self.cseq = cseq
        source.send(self._request("ACK", cseq, ""))

    def _request(self, method: str, cseq: int, headers: str) -> bytes:
        return self.source.request(
            method,
            call_id=self.call_id,
            cseq=cseq,
            to_tag=self.to_tag,
            uri=self.uri,
            headers=headers,
        )

    async def ask(self, method: str, headers: str = "") -> bytes:
        """Send a request in the dialog and return its final response."""
        self.cseq += 1
        return await self.source.ask(
            method,
            call_id=self.call_id,
            cseq=self.cseq,
            to_tag=self.to_tag,
            uri=self.uri,
            headers=headers,
        )


@asynccontextmanager
async def sip_source(host: str, bot: Address) -> AsyncIterator[SipSource]:
    """Open a UDP socket on an address of loopback, such as 127.0.0.66."""
    loop = asyncio.get_running_loop()
    transport, source = await loop.create_datagram_endpoint(lambda: SipSource(bot), (host, 0))
    try:
        yield source
    finally:
        transport.close()


async def place_call(
    source: SipSource, media_port: int, user: str = "bot", *, headers: str = "", cseq: int = 1
) -> Dialog:
    """Call the bot with media on ``media_port`` of the source's address."""
    call_id = f"call-{next(_numbers)}"
    body = sdp(source.address[0], media_port)
    answer = await source.ask(
        "INVITE", user, call_id=call_id, body=body, headers=headers, cseq=cseq
    )
    assert status_of(answer) == 200, answer
    return Dialog(source, call_id, answer, cseq)
