"""Registration at a real registrar: Kamailio, which challenges, and wants to hear from us soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telephony.sip.credentials import Credentials
from telephony.stacks.capabilities import StackName
from telephony.stacks.trunk import RegisterPolicy, Trunk
from tests.support.certificates import Authority
from tests.support.conformance import Bot, bot
from tests.support.kamailio import FIXTURES, kamailio, text
from tests.support.ports import free_ports
from tests.support.stacks import Party, until

pytestmark = pytest.mark.system


@pytest.fixture(name="carrier")
async def _carrier(tmp_path: Path) -> AsyncIterator[int]:
    port = free_ports(2)
    issued = Authority(tmp_path).issue("carrier", addresses=["127.0.0.1"])
    definitions: dict[str, int | str | Path] = {
        "PORT": port,
        "TLS_PORT": port + 1,
        "CERTIFICATE": text(issued.certificate),
        "PRIVATE_KEY": text(issued.private_key),
        "MIN_EXPIRES": 60,
        "MAX_EXPIRES": 10,
        "AGENT": text("sip:127.0.0.1:9"),
    }
    async with kamailio(FIXTURES / "carrier.cfg", tmp_path / "kamailio", port, definitions):
        yield port


def trunk(port: int, password: str = "secret") -> Trunk:
    return Trunk(
        "carrier",
        (f"sip:127.0.0.1:{port}",),
        username="bot",
        credentials=Credentials("bot", password),
        register=RegisterPolicy(expires_s=60, retry_initial_s=0.2, retry_max_s=1.0),
        keepalive=None,
    )


def registered(ours: Bot) -> bool:
    return ours.signalling.directory.status["carrier"].registered is True


async def test_a_registered_bot_is_called_through_its_registrar(
    name: StackName, carrier: int
) -> None:
    async with bot(name, [trunk(carrier)]) as ours, bot("native") as caller:
        await until(lambda: registered(ours))
        we, they = Party(), Party()
        calling = asyncio.create_task(caller.dial(f"sip:bot@127.0.0.1:{carrier}", they))
        leg = await ours.next_leg()
        assert leg.facts.trunk == "carrier"
        leg.listen(we)
        leg.prepare()
        leg.answer()
        theirs = await calling
        await until(lambda: we.confirmed.is_set() and they.confirmed.is_set())
        theirs.hangup()
        await until(lambda: we.over.is_set() and they.over.is_set())
        leg.close()
        theirs.close()


async def test_a_bot_that_unregisters_is_not_called_any_more(name: StackName, carrier: int) -> None:
    async with bot(name, [trunk(carrier)]) as ours:
        await until(lambda: registered(ours))
        await ours.signalling.unregister()
        assert not registered(ours)


async def test_a_wrong_password_is_told_of_and_is_no_registration(
    name: StackName, carrier: int
) -> None:
    async with bot(name, [trunk(carrier, "sesame")]) as ours:
        status = ours.signalling.directory.status["carrier"]
        await until(lambda: status.registrations_failed)
        assert not registered(ours)
        assert status.registration_error[:3] in ("401", "403")
