"""Calls let in or refused by their Identity header."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web

from telephony.net.certificates import (
    CertificateConfig,
    CertificateFetcher,
    CertificateUnavailable,
)
from telephony.sip.identity import Verifier, VerifierConfig
from telephony.sip.message import HeaderView
from telephony.stacks.identity_check import (
    Attested,
    IdentityCheck,
    IdentityPolicy,
    IdentityRefused,
)
from telephony.stacks.numbers import NumberPlan
from tests.support.https import FixedResolver, HttpsServer
from tests.support.sip_headers import view
from tests.support.stir import CALLED, CALLER, INFO, NOW_S, Authority, claims, identity, jose

TAG = IdentityPolicy("tag")
REQUIRE = IdentityPolicy("require")


class Store:
    """Certificates by URL; asked for any other one it has none."""

    def __init__(self, chains: dict[str, bytes]) -> None:
        self.chains = chains
        self.asked: list[str] = []

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.chains:
            raise CertificateUnavailable("HTTP 404")
        return self.chains[url]


class Scene:
    """A check with the certificates of one authority."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.store = Store({INFO: self.authority.chain()})
        verifier = Verifier(VerifierConfig(self.authority.root.pem))
        self.check = IdentityCheck(verifier, self.store)

    def headers(self, *values: str, to: str = f"<sip:{CALLED}@h>") -> HeaderView:
        return view(("To", to), *(("Identity", value) for value in values))

    def signed(self, **changes: object) -> str:
        return identity(self.authority.signer, payload=claims(**changes))

    async def ask(
        self, *values: str, policy: IdentityPolicy = REQUIRE, called: str = CALLED
    ) -> Attested | IdentityRefused:
        return await self.check.check(self.headers(*values), CALLER, called, policy, NOW_S)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def scene(authority: Authority) -> Scene:
    return Scene(authority)


async def test_off_looks_at_nothing(scene: Scene) -> None:
    assert await scene.ask(scene.signed(), policy=IdentityPolicy()) == Attested()
    assert scene.store.asked == []


@pytest.mark.parametrize("attestation", ["A", "B", "C"])
async def test_a_good_header_attests(scene: Scene, attestation: str) -> None:
    for policy in (TAG, REQUIRE):
        result = await scene.ask(scene.signed(attest=attestation), policy=policy)
        assert isinstance(result, Attested)
        assert result.attestation == attestation
        assert result.origid
        assert result.verstat == "TN-Validation-Passed"


@pytest.mark.parametrize(
    ("attestation", "minimum", "accepted"),
    [
        ("A", "A", True),
        ("B", "A", False),
        ("C", "A", False),
        ("B", "B", True),
        ("C", "B", False),
        ("C", "C", True),
        ("C", "", True),
    ],
)
async def test_the_minimum(scene: Scene, attestation: str, minimum: str, accepted: bool) -> None:
    policy = IdentityPolicy("require", minimum)  # type: ignore[arg-type]
    result = await scene.ask(scene.signed(attest=attestation), policy=policy)
    assert isinstance(result, Attested) is accepted
    if isinstance(result, IdentityRefused):
        assert (result.status, result.headers) == (403, ())
        assert minimum in result.detail
    tagged = IdentityPolicy("tag", minimum)  # type: ignore[arg-type]
    assert isinstance(await scene.ask(scene.signed(attest=attestation), policy=tagged), Attested)


async def test_a_passport_that_attests_nothing(scene: Scene) -> None:
    payload = claims(attest=None, origid=None)
    text = identity(scene.authority.signer, jose(ppt=None), payload, f";info=<{INFO}>")
    result = await scene.ask(text)
    assert result == Attested(verified=True)
    assert scene.check.stats.verified_only == 1
    low = await scene.ask(text, policy=IdentityPolicy("require", "C"))
    assert isinstance(low, IdentityRefused)
    assert low.detail == "attestation none is below C"


@pytest.mark.parametrize(
    ("missing_is", "minimum", "status"),
    [("", "", 428), ("", "C", 428), ("C", "", 0), ("C", "C", 0), ("C", "B", 403), ("A", "A", 0)],
)
async def test_no_header(scene: Scene, missing_is: str, minimum: str, status: int) -> None:
    policy = IdentityPolicy("require", minimum, missing_is)  # type: ignore[arg-type]
    for values in ((), ("x;ppt=div",)):
        result = await scene.ask(*values, policy=policy)
        if status:
            assert isinstance(result, IdentityRefused)
            assert result.status == status
        else:
            assert result == Attested()
    assert await scene.ask(policy=TAG) == Attested()
    assert Attested().verstat == "No-TN-Validation"


async def test_the_phrase_of_a_missing_header(scene: Scene) -> None:
    result = await scene.ask()
    assert isinstance(result, IdentityRefused)
    assert result.reason == "Use Identity Header"
    assert result.headers == (("Reason", 'STIR;cause=428;text="Use Identity Header"'),)


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"iat": NOW_S - 100}, 403, "Stale Date"),
        ({"orig": {"tn": "19005550100"}}, 438, "Invalid Identity Header"),
        ({"dest": {"tn": ["19005550100"]}}, 438, "Invalid Identity Header"),
    ],
)
async def test_bad_claims_fetch_nothing(
    scene: Scene, changes: dict[str, object], status: int, reason: str
) -> None:
    result = await scene.ask(scene.signed(**changes))
    assert isinstance(result, IdentityRefused)
    assert (result.status, result.reason) == (status, reason)
    assert result.headers == (("Reason", f'STIR;cause={status};text="{reason}"'),)
    assert scene.store.asked == []
    tagged = await scene.ask(scene.signed(**changes), policy=TAG)
    assert isinstance(tagged, Attested)
    assert tagged.verstat == "TN-Validation-Failed"
    assert tagged.attestation == ""


async def test_a_certificate_that_is_not_there(scene: Scene) -> None:
    scene.store.chains.clear()
    result = await scene.ask(scene.signed())
    assert isinstance(result, IdentityRefused)
    assert (result.status, result.reason, result.detail) == (436, "Bad Identity Info", "HTTP 404")


async def test_a_certificate_of_strangers(scene: Scene) -> None:
    scene.store.chains[INFO] = Authority().chain()
    result = await scene.ask(scene.signed())
    assert isinstance(result, IdentityRefused)
    assert (result.status, result.reason) == (437, "Unsupported Credential")


async def test_one_good_header_is_enough(scene: Scene) -> None:
    good, stale = scene.signed(), scene.signed(iat=1)
    for values in ((good, stale), (stale, good), ("garbage", "x;ppt=div", good)):
        result = await scene.ask(*values)
        assert isinstance(result, Attested)
        assert result.attestation == "A"
    weak = scene.signed(attest="C")
    for values in ((weak, good), (good, weak), (weak, stale, good)):
        result = await scene.ask(*values, policy=IdentityPolicy("require", "A"))
        assert isinstance(result, Attested)
    first = await scene.ask(stale, "garbage")
    assert isinstance(first, IdentityRefused)
    assert first.reason == "Stale Date"


async def test_numbers_get_their_country_code(scene: Scene) -> None:
    headers = scene.headers(scene.signed())
    for caller, called in (("2155550112", "2155550113"), ("sip:2155550112@h", "tel:2155550113")):
        bare = await scene.check.check(headers, caller, called, REQUIRE, NOW_S)
        assert isinstance(bare, IdentityRefused)
        plan = NumberPlan("US")
        result = await scene.check.check(headers, caller, called, REQUIRE, NOW_S, plan=plan)
        assert isinstance(result, Attested)


async def test_a_forwarded_call(scene: Scene) -> None:
    here = "+12155550199"
    assert isinstance(await scene.ask(scene.signed(), called=here), IdentityRefused)
    policy = IdentityPolicy("require", accept_to=True)
    assert isinstance(await scene.ask(scene.signed(), called=here, policy=policy), Attested)
    elsewhere = scene.headers(scene.signed(), to="garbage")
    result = await scene.check.check(elsewhere, CALLER, here, policy, NOW_S)
    assert isinstance(result, IdentityRefused)


async def test_counters(scene: Scene) -> None:
    for attestation in "AABC":
        await scene.ask(scene.signed(attest=attestation))
    await scene.ask()
    await scene.ask(policy=TAG)
    await scene.ask("garbage", policy=TAG)
    stats = scene.check.stats
    assert (stats.attested_a, stats.attested_b, stats.attested_c) == (2, 1, 1)
    assert (stats.refused, stats.missing, stats.failed, stats.verified_only) == (1, 1, 1, 0)


async def test_over_https(scene: Scene, tmp_path: Path) -> None:
    """The whole way: an Identity header, a web server, a chain, an attestation."""
    server = HttpsServer(tmp_path)
    await server.start()

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=scene.authority.chain())

    server.answer = answer
    config = CertificateConfig(
        allowed_ports=frozenset((server.port,)),
        private_networks=(ip_network("127.0.0.0/8"),),
        ca_file=str(server.ca_file),
    )
    fetcher = CertificateFetcher(config, resolver=FixedResolver())
    verifier = Verifier(VerifierConfig(scene.authority.root.pem))
    check = IdentityCheck(verifier, fetcher)
    url = server.url("signer.pem")
    text = identity(
        scene.authority.signer, jose(x5u=url), parameters=f";info=<{url}>;alg=ES256;ppt=shaken"
    )
    try:
        for _ in range(3):
            result = await check.check(scene.headers(text), CALLER, CALLED, REQUIRE, NOW_S)
            assert isinstance(result, Attested)
            assert result.attestation == "A"
        assert server.asked == ["/signer.pem"]
    finally:
        await fetcher.close()
        await server.close()
