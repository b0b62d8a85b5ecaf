from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sipmessage

from telephony.app.identity_screen import IdentityScreen
from telephony.app.settings import Identity
from telephony.base.interfaces import CannotAnswer, LegFacts
from telephony.sip.events import InviteReceived
from telephony.sip.flow import Flow
from telephony.sip.message import HeaderView
from telephony.stacks.trunk import AttestationPolicy, Trunk
from telephony.stacks.trunks.directory import TrunkDirectory

DIRECTORY = TrunkDirectory(
    [
        Trunk("off"),
        Trunk("tag", attestation=AttestationPolicy("tag")),
        Trunk("must", attestation=AttestationPolicy("require")),
        Trunk("lenient", attestation=AttestationPolicy("require", missing_is="C")),
    ]
)


def facts(trunk: str) -> LegFacts:
    return LegFacts("id", "+15550100", "+15550199", "", "192.0.2.7", "udp", trunk, {})


def invite(identity: str = "") -> InviteReceived:
    headers = sipmessage.Headers()
    headers.add("From", "<sip:+15550199@example.com>;tag=a")
    if identity:
        headers.add("Identity", identity)
    flow = Flow("udp", ("192.0.2.7", 5060), ("192.0.2.1", 5060))
    view = HeaderView(headers)
    return InviteReceived("1", "sip:+15550100@x", "sip:a@x", "", "sip:b@x", "id", view, None, flow)


@pytest.fixture(name="screen")
async def _screen() -> AsyncIterator[IdentityScreen]:
    screen = IdentityScreen(Identity(), DIRECTORY)
    yield screen
    await screen.close()


async def test_only_trunks_that_ask_for_it_are_screened(screen: IdentityScreen) -> None:
    names = [name for name in ("", "off", "tag", "must", "gone") if screen.concerns(facts(name))]
    assert names == ["tag", "must"]
    assert set(screen.counters) == {"identity", "certificates"}


async def test_a_call_without_a_signature(screen: IdentityScreen) -> None:
    assert (await screen.check(invite(), facts("tag"))).attestation == ""
    await screen.check(invite(), facts("lenient"))
    with pytest.raises(CannotAnswer) as caught:
        await screen.check(invite(), facts("must"))
    assert caught.value.status == 428


async def test_a_signature_that_is_none_is_tagged_or_refused(screen: IdentityScreen) -> None:
    nonsense = "a.b.c;info=<https://x.example/c.pem>;alg=ES256;ppt=shaken"
    assert (await screen.check(invite(nonsense), facts("tag"))).attestation == ""
    with pytest.raises(CannotAnswer) as caught:
        await screen.check(invite(nonsense), facts("must"))
    assert caught.value.status in (403, 436, 437, 438)


def test_roots_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        IdentityScreen(Identity(roots=str(tmp_path / "gone.pem")), DIRECTORY)
