"""PJSIP registers with a registrar of ours, over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.pjsip_stack import pjsip

# isort: split
from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.sip.credentials import Credentials
from telephony.sip.digest_server import Answer, DigestServer, DigestServerConfig, Verified
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.message import HeaderView
from telephony.stacks.pjsip.accounts import MAX_ACCOUNTS
from telephony.stacks.pjsip.registration import RegistrationPlan, RegistrationState
from telephony.stacks.pjsip.registrations import OTHER_ACCOUNTS
from tests.support.stacks import until


@dataclass
class Registrar(asyncio.DatagramProtocol):
    """Wants the password of ``bot``, and grants what is asked for."""

    contacts: list[str] = field(default_factory=list)
    requests: list[HeaderView] = field(default_factory=list)
    transport: Any = None

    def __post_init__(self) -> None:
        self.digest = DigestServer(DigestServerConfig(realm="carrier"), Ids.seeded(5))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.transport.get_extra_info("sockname")
        return host, port

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = parse_message(data)
        if not isinstance(message, RawRequest) or message.method != "REGISTER":
            return
        headers = HeaderView(message.headers)
        self.requests.append(headers)
        status, extra = self._rule(message, headers, addr[0])
        copied = "".join(
            f"{name}: {headers[name]}\r\n" for name in ("Via", "From", "Call-ID", "CSeq")
        )
        answer = f"SIP/2.0 {status}\r\n{copied}To: {headers['To']};tag=r\r\n{extra}\r\n"
        self.transport.sendto(answer.encode(), addr)

    def _rule(self, message: RawRequest, headers: HeaderView, source: str) -> tuple[str, str]:
        now = monotonic()
        answer = self.digest.read_answer(headers.get("Authorization") or "")
        if isinstance(answer, Answer):
            verdict = self.digest.check(
                answer, "REGISTER", message.raw_uri, source, {"bot": "secret"}.get, now
            )
            if isinstance(verdict, Verified):
                contact, expires = headers["Contact"], headers["Expires"]
                self.contacts.append(f"{contact};expires={expires}")
                return "200 OK", f"Contact: {contact};expires={expires}\r\nExpires: {expires}\r\n"
        challenges = self.digest.challenges(source, now, stale=False)
        lines = "".join(f"WWW-Authenticate: {value}\r\n" for value in challenges)
        return "401 Unauthorized", lines


@asynccontextmanager
async def registrar() -> AsyncIterator[Registrar]:
    loop = asyncio.get_running_loop()
    made: Registrar
    _, made = await loop.create_datagram_endpoint(Registrar, local_addr=("127.0.0.1", 0))
    try:
        yield made
    finally:
        made.transport.close()


def plan(bot: Any, address: tuple[str, int], password: str = "secret") -> RegistrationPlan:
    return RegistrationPlan(
        "sip:bot@carrier.example",
        "sip:carrier.example",
        bot.stack.flow_to(address, "udp"),
        credentials=Credentials("bot", password),
        expires_s=60,
    )


async def test_a_contact_is_registered_and_taken_back() -> None:
    async with registrar() as carrier, pjsip() as bot:
        states: list[RegistrationState] = []
        made = bot.stack.registrations.register(plan(bot, carrier.address), states.append)
        await until(lambda: states)
        assert (states[0].status, states[0].expires_s) == (200, 60)
        assert "sip:bot@" in carrier.contacts[0]
        assert carrier.requests[-1].get("Route") is None
        made.unregister()
        await until(lambda: len(states) == 2)
        assert carrier.contacts[-1].endswith("expires=0")
        made.close()
        # An account that is gone is asked for nothing.
        made.unregister()
        made.close()
        assert await bot.stack.worker.run(lambda: 1) == 1


@pytest.mark.parametrize("password", ["wrong", "secret"])
async def test_a_wrong_password_is_told_as_what_it_is(password: str) -> None:
    async with registrar() as carrier, pjsip() as bot:
        states: list[RegistrationState] = []
        made = bot.stack.registrations.register(plan(bot, carrier.address, password), states.append)
        await until(lambda: states)
        assert states[0].status == (401 if password == "wrong" else 200)
        made.close()


async def test_one_registration_too_many_is_a_failure_and_not_the_end() -> None:
    async with registrar() as carrier, pjsip() as bot:
        states: list[RegistrationState] = []
        room = MAX_ACCOUNTS - OTHER_ACCOUNTS
        made = [
            bot.stack.registrations.register(plan(bot, carrier.address), states.append)
            for _ in range(room + 1)
        ]
        await until(lambda: len(states) == room + 1)
        assert sorted(state.status for state in states) == [200] * room + [503]
        for registration in made:
            registration.close()
