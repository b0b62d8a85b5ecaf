"""The dialler on real sockets: one stack calls others over trunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from telephony.base.dialing import DialFailed, DialRequest
from telephony.base.interfaces import Leg
from telephony.net.clock import monotonic
from telephony.net.dns import ResolutionFailed
from telephony.sip.location import Target
from telephony.sip.values import read_uri
from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.trunk import CallerIdPolicy, NumberPolicy, Trunk, TrunkLimits
from telephony.stacks.trunks.dialing import TrunkDialer
from telephony.stacks.trunks.directory import TrunkDirectory
from telephony.stacks.trunks.reaching import Reach
from tests.support.stacks import Party, stack, until


class Names:
    """Resolves numeric hosts, and names that the test gives addresses."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[tuple[str, int]]] = {}

    async def resolve(self, uri: str, transport: str | None = None) -> list[Target]:
        parsed = read_uri(uri)
        assert parsed is not None
        found = self.addresses.get(parsed.host)
        if found is None and not parsed.host[0].isdigit():
            raise ResolutionFailed(uri, "DNS knows no such host", temporary=False)
        places = found or [(parsed.host, parsed.port or 5060)]
        return [Target("udp", host, port, parsed.host) for host, port in places]


class World:
    """A caller with a dialler, and two carriers whose calls the test answers."""

    def __init__(self, resources: AsyncExitStack) -> None:
        self._resources = resources
        self.names = Names()
        self.results: list[tuple[str, str]] = []
        self.carriers: list[tuple[NativeStack, int, list[NativeLeg]]] = []
        self.directory = TrunkDirectory()

    async def open(self) -> None:
        self.caller, self.port, _ = await self._resources.enter_async_context(stack(1))
        for seed in (2, 3):
            carrier = await self._resources.enter_async_context(stack(seed))
            self.carriers.append(carrier)
        reach = Reach(self.names, self.caller.endpoint, monotonic)
        self.dialer = TrunkDialer(
            self.caller,
            self.directory,
            reach,
            monotonic,
            unheard_s=1.0,
            on_dialled=lambda trunk, result: self.results.append((trunk, result)),
        )

    def server(self, carrier: int) -> str:
        return f"sip:127.0.0.1:{self.carriers[carrier][1]}"

    def legs(self, carrier: int) -> list[NativeLeg]:
        return self.carriers[carrier][2]

    def use(self, *trunks: Trunk) -> None:
        self.directory.replace(trunks)

    async def dial(self, target: str = "+15550100", **keywords: Any) -> Leg:
        self.party = Party()
        return await self.dialer.dial(DialRequest(target, **keywords), self.party)

    def dialling(self, target: str = "+15550100", **keywords: Any) -> asyncio.Task[Leg]:
        return asyncio.create_task(self.dial(target, **keywords))

    async def call(self, carrier: int, number: int = 0) -> NativeLeg:
        """Wait for a call to come in at a carrier."""
        await until(lambda: len(self.legs(carrier)) > number)
        return self.legs(carrier)[number]

    async def give_up(self, dialling: asyncio.Task[Leg]) -> None:
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling

    async def failure(self, dialling: asyncio.Task[Leg]) -> DialFailed:
        with pytest.raises(DialFailed) as caught:
            await dialling
        return caught.value


@pytest.fixture(name="world")
async def _world() -> AsyncIterator[World]:
    async with AsyncExitStack() as resources:
        world = World(resources)
        await world.open()
        yield world


def nowhere() -> str:
    """Return a server that is not there: its port is refused."""
    return "sip:127.0.0.1:1"


async def test_a_number_is_called_as_the_trunk_writes_it(world: World) -> None:
    world.use(
        Trunk(
            "t",
            (world.server(0),),
            domain="carrier.example",
            caller_id=CallerIdPolicy("+15550199", "Us", header="pai"),
            numbers=NumberPolicy(region="US", format="plain", add_prefix="9"),
        )
    )
    dialling = world.dialling("+12125550100")
    leg = await world.call(0)
    assert leg.facts.called == "912125550100"
    assert leg.facts.caller == "15550199"
    assert leg.facts.caller_name == "Us"
    assert "<sip:15550199@carrier.example" in leg.facts.headers["p-asserted-identity"]
    assert leg.facts.headers["to"].startswith("<sip:912125550100@carrier.example>")
    leg.prepare()
    leg.ring()
    leg.answer()
    ours = await dialling
    assert (ours.facts.trunk, ours.facts.called) == ("t", "912125550100")
    assert world.party.progress == [(180, False)]
    assert world.party.confirmed.is_set()
    assert world.directory.status["t"].load.active("outbound") == 1
    leg.hangup()
    await until(world.party.over.is_set)
    assert world.directory.status["t"].load.active() == 0
    assert world.results == [("t", "answered")]
    ours.close()
    leg.close()


async def test_a_caller_id_of_the_call_is_passed_through_unless_the_trunk_forbids(
    world: World,
) -> None:
    own = CallerIdPolicy("+15550199", header="from")
    world.use(Trunk("t", (world.server(0),), caller_id=own))
    dialling = world.dialling(caller_id="+15550123")
    assert (await world.call(0)).facts.caller == "+15550123"
    await world.give_up(dialling)
    world.use(
        Trunk("t", (world.server(0),), caller_id=CallerIdPolicy("+15550199", pass_through=False))
    )
    dialling = world.dialling(caller_id="+15550123")
    assert (await world.call(0, 1)).facts.caller == "+15550199"
    await world.give_up(dialling)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (486, "busy"),
        (600, "busy"),
        (480, "no_answer"),
        (403, "rejected"),
        (603, "rejected"),
        (404, "not_found"),
        (484, "not_found"),
        (488, "failed"),
        (302, "failed"),
    ],
)
async def test_what_the_callee_decides_is_final(world: World, status: int, outcome: str) -> None:
    world.use(Trunk("a", (world.server(0),)), Trunk("b", (world.server(1),)))
    dialling = world.dialling()
    (await world.call(0)).reject(status)
    failure = await world.failure(dialling)
    assert (failure.outcome, failure.status) == (outcome, status)
    assert not world.legs(1)
    assert world.party.ended is None
    assert world.results == [("a", outcome)]


async def test_the_next_server_and_the_next_trunk_take_over(world: World) -> None:
    world.use(Trunk("a", (nowhere(), world.server(0))), Trunk("b", (world.server(1),)))
    dialling = world.dialling()
    (await world.call(0)).reject(503)
    leg = await world.call(1)
    leg.prepare()
    leg.answer()
    assert (await dialling).facts.trunk == "b"
    assert world.results == [("a", "failed"), ("b", "answered")]


async def test_a_name_with_several_addresses_is_tried_through(world: World) -> None:
    world.names.addresses["carrier.example"] = [
        ("127.0.0.1", 1),
        ("127.0.0.1", world.carriers[1][1]),
    ]
    world.use(Trunk("a", ("sip:unknown.example", "sip:carrier.example")))
    dialling = world.dialling()
    leg = await world.call(1)
    assert leg.facts.headers["to"].startswith("<sip:+15550100@carrier.example>")
    leg.reject(486)
    assert (await world.failure(dialling)).outcome == "busy"


async def test_nobody_is_rung_twice(world: World) -> None:
    world.use(Trunk("a", (world.server(0),)), Trunk("b", (world.server(1),)))
    dialling = world.dialling()
    leg = await world.call(0)
    leg.ring()
    await until(lambda: world.party.progress)
    leg.reject(500)
    assert (await world.failure(dialling)).outcome == "failed"
    assert not world.legs(1)


async def test_no_server_to_be_reached(world: World) -> None:
    world.use(Trunk("a", (nowhere(),)), Trunk("b", ("sip:unknown.example",)))
    failure = await world.failure(world.dialling())
    assert failure.outcome == "unreachable"
    assert "no such host" in failure.reason
    assert world.results == [("a", "unreachable"), ("b", "unreachable")]


async def test_a_trunk_that_is_down_is_tried_last(world: World) -> None:
    world.use(Trunk("a", (world.server(0),)), Trunk("b", (world.server(1),)))
    world.directory.status["a"].servers[world.server(0)].up = False
    dialling = world.dialling()
    (await world.call(1)).reject(503)
    (await world.call(0)).reject(486)
    assert (await world.failure(dialling)).outcome == "busy"


async def test_a_full_trunk_gives_way(world: World) -> None:
    limits = TrunkLimits(max_outbound=1)
    world.use(Trunk("a", (world.server(0),), limits=limits), Trunk("b", (world.server(1),)))
    first = world.dialling()
    await world.call(0)
    second = world.dialling()
    (await world.call(1)).reject(486)
    assert (await world.failure(second)).outcome == "busy"
    assert ("a", "full") in world.results
    failure = await world.failure(world.dialling(trunks=("a",)))
    assert failure.outcome == "unreachable"
    assert "takes no more calls" in failure.reason
    await world.give_up(first)
    await until(lambda: world.directory.status["a"].load.active() == 0)


async def test_ringing_ends_after_its_time(world: World) -> None:
    world.use(Trunk("a", (world.server(0),)), Trunk("b", (world.server(1),)))
    dialling = world.dialling(ring_timeout_s=1.5)
    leg = await world.call(0)
    leg.ring()
    failure = await world.failure(dialling)
    assert failure.outcome == "no_answer"
    await until(lambda: leg.ended)
    assert not world.legs(1)
    await until(lambda: world.caller.legs == 0)
    assert world.caller.plane.ports.in_use == 0


async def test_cancelling_the_task_cancels_the_call(world: World) -> None:
    world.use(Trunk("a", (world.server(0),)))
    dialling = world.dialling()
    leg = await world.call(0)
    leg.ring()
    await until(lambda: world.party.progress)
    await world.give_up(dialling)
    await until(lambda: leg.ended)
    assert world.results == [("a", "cancelled")]
    assert world.party.ended is None


async def test_early_media_is_told_with_its_leg(world: World) -> None:
    world.use(Trunk("a", (world.server(0),)))
    legs: list[Leg] = []
    party = Party()
    dialling = asyncio.create_task(
        world.dialer.dial(DialRequest("+15550100"), party, on_leg=legs.append)
    )
    leg = await world.call(0)
    leg.prepare()
    leg.progress()
    await until(lambda: (183, True) in party.progress)
    legs[0].media.start(party)
    leg.answer()
    assert await dialling is legs[0]


async def test_redirects_are_followed_only_to_the_trunk_itself_and_if_allowed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def redirect(leg: NativeLeg, *contacts: str) -> None:
        lines = [("Contact", f"<{uri}>") for uri in contacts]
        leg._user_agent.reject(leg.leg_id, 302, monotonic(), headers=lines)
        leg._endpoint.flush()

    world.use(Trunk("a", (world.server(0),), follow_redirects=True))
    dialling = world.dialling()
    port = world.carriers[0][1]
    redirect(await world.call(0), "sip:+1900@evil.example", f"sip:+15550111@127.0.0.1:{port}")
    again = await world.call(0, 1)
    assert again.facts.called == "+15550111"
    redirect(again, "sip:+1900@evil.example")
    assert (await world.failure(dialling)).status == 302
    assert len(world.legs(0)) == 2


async def test_a_uri_goes_over_the_trunk_of_its_host_or_where_it_leads(world: World) -> None:
    port = world.carriers[1][1]
    world.use(Trunk("a", (world.server(0),), domain="pbx.example"))
    dialling = world.dialling("sip:200@pbx.example")
    leg = await world.call(0)
    assert leg.facts.headers["to"].startswith("<sip:200@pbx.example>")
    leg.reject(486)
    await world.failure(dialling)
    dialling = world.dialling(f"sip:alice@127.0.0.1:{port}")
    (await world.call(0, 1)).reject(486)
    await world.failure(dialling)
    world.use(Trunk("a", ("sip:carrier.example",)))
    dialling = world.dialling(f"sip:alice@127.0.0.1:{port}")
    leg = await world.call(1)
    assert leg.facts.called == "alice"
    leg.reject(486)
    await world.failure(dialling)


@pytest.mark.parametrize(
    ("target", "trunks", "outcome", "reason"),
    [
        ("not a number", (), "not_found", "no number and no SIP URI"),
        ("+15550100", (), "unreachable", "there is no trunk"),
        ("+15550100", ("x",), "unreachable", "none of the trunks x"),
    ],
)
async def test_what_cannot_be_dialled(
    world: World, target: str, trunks: tuple[str, ...], outcome: str, reason: str
) -> None:
    world.use(Trunk("in", outbound=False))
    failure = await world.failure(world.dialling(target, trunks=trunks))
    assert (failure.outcome, failure.status) == (outcome, 0)
    assert reason in failure.reason


async def test_bad_credentials_are_not_the_callees_word(world: World) -> None:
    world.use(Trunk("a", (world.server(0),)), Trunk("b", (world.server(1),)))
    dialling = world.dialling()
    (await world.call(0)).reject(407)
    (await world.call(1)).reject(486)
    assert (await world.failure(dialling)).outcome == "busy"
    dialling = world.dialling(trunks=("a",))
    (await world.call(0, 1)).reject(401)
    failure = await world.failure(dialling)
    assert (failure.outcome, failure.status) == ("failed", 401)
    assert "check username and password of trunk a" in failure.reason
