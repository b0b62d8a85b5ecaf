"""When and where PJSIP is told to register."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from telephony.net.dns import ResolutionFailed
from telephony.sip.credentials import Credentials
from telephony.sip.flow import Flow
from telephony.sip.location import Target
from telephony.sip.registration import Registered, RegistrationFailed, Unregistered
from telephony.stacks.pjsip.registrar import PjsipRegistrar
from telephony.stacks.pjsip.registration import RegistrationPlan, RegistrationState
from telephony.stacks.trunk import RegisterPolicy, Trunk
from telephony.stacks.trunks.status import TrunkStatus
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock

GRANTED = RegistrationState(200, "OK", 60)


class Reach:
    """Each host is one address; those in ``unknown`` are none."""

    def __init__(self, *unknown: str) -> None:
        self.unknown = unknown
        self.bad: list[str] = []

    async def targets(self, uri: str) -> list[Target]:
        host = uri.removeprefix("sip:")
        if host in self.unknown:
            raise ResolutionFailed(host, "no such host", temporary=False)
        return [Target("udp", host, 5060, "")]

    def flow(self, target: Target) -> Flow:
        return Flow(target.transport, (target.host, target.port), ("127.0.0.1", 5060))

    def failed(self, target: Target) -> None:
        self.bad.append(target.host)

    def worked(self, target: Target) -> None: ...


class Opener:
    """Registers nowhere; the test tells the outcomes, or ``answers`` has them ready."""

    def __init__(self, *answers: RegistrationState) -> None:
        self.answers = list(answers)
        self.plans: list[RegistrationPlan] = []
        self.closed = 0
        self.unregistered = 0
        self.on_state: Callable[[RegistrationState], None] = lambda state: None

    def register(
        self, plan: RegistrationPlan, on_state: Callable[[RegistrationState], None]
    ) -> Opener:
        self.plans.append(plan)
        self.on_state = on_state
        if self.answers:
            on_state(self.answers.pop(0))
        return self

    def unregister(self) -> None:
        self.unregistered += 1
        self.on_state(RegistrationState(200, "OK", 0))

    def close(self) -> None:
        self.closed += 1


class Scene:
    def __init__(self, *answers: RegistrationState, servers: int = 1, unknown: str = "") -> None:
        self.trunk = Trunk(
            "carrier",
            servers=tuple(f"sip:192.0.2.{number + 1}" for number in range(servers)),
            domain="carrier.example",
            username="bot",
            credentials=Credentials("bot", "secret"),
        )
        self.events: list[Any] = []
        self.status = TrunkStatus.of(self.trunk)
        self.opener = Opener(*answers)
        self.reach: Any = Reach(unknown)
        self.registrar = PjsipRegistrar(
            self.trunk,
            RegisterPolicy(60, 0.001, 0.002),
            self.status,
            self.opener,
            self.reach,
            FakeClock(),
            lambda trunk, event: self.events.append(event),
            lambda: 0.5,
        )
        self.running = asyncio.create_task(self.registrar.run())

    async def stop(self) -> None:
        self.registrar.stop()
        await self.running


async def test_it_registers_refreshes_and_takes_its_contact_back() -> None:
    s = Scene(GRANTED)
    await eventually(lambda: s.events)
    (plan,) = s.opener.plans
    assert plan.address_of_record == "sip:bot@carrier.example"
    assert plan.registrar_uri == "sip:carrier.example"
    assert plan.flow.remote == ("192.0.2.1", 5060)
    assert (plan.expires_s, plan.credentials) == (60, s.trunk.credentials)
    assert s.status.registered
    assert s.status.registered_until == 1060.0
    s.opener.on_state(GRANTED)
    await eventually(lambda: len(s.events) == 2)
    await s.stop()
    assert s.events == [Registered(0, 60), Registered(0, 60), Unregistered(0, 200)]
    assert s.opener.unregistered == 1
    assert s.status.registered is False


async def test_a_wrong_password_is_told_and_tried_again_there() -> None:
    s = Scene(RegistrationState(401, "Unauthorized"), GRANTED, servers=2)
    await eventually(lambda: len(s.events) == 2)
    failed = s.events[0]
    assert isinstance(failed, RegistrationFailed)
    assert (failed.server, failed.status, failed.reason) == (0, 401, "Unauthorized")
    assert failed.retry_in_s > 0
    assert s.events[1] == Registered(0, 60)
    assert s.status.registrations_failed == 1
    await s.stop()


async def test_a_server_that_fails_is_followed_by_the_next_at_once() -> None:
    s = Scene(RegistrationState(503, "Service Unavailable"), GRANTED, servers=2)
    await eventually(lambda: len(s.events) == 2)
    assert s.events[0] == RegistrationFailed(0, 503, "Service Unavailable", 0.0)
    assert s.events[1] == Registered(1, 60)
    assert s.reach.bad == ["192.0.2.1"]
    assert s.status.registered_with == "sip:192.0.2.2"
    await s.stop()


async def test_a_name_that_leads_nowhere_is_a_failure_like_another() -> None:
    s = Scene(GRANTED, servers=2, unknown="192.0.2.1")
    await eventually(lambda: len(s.events) == 2)
    assert s.events[0].status == 503
    assert s.events[1] == Registered(1, 60)
    await s.stop()


async def test_a_server_that_answers_no_more_is_left() -> None:
    s = Scene(GRANTED, GRANTED, servers=2)
    await eventually(lambda: s.events)
    s.registrar.server_failed("sip:192.0.2.2")
    s.registrar.server_failed("sip:192.0.2.1")
    await eventually(lambda: len(s.events) == 3)
    assert s.events[2] == Registered(1, 60)
    await s.stop()


async def test_it_may_be_stopped_while_nobody_answers() -> None:
    s = Scene()
    await eventually(lambda: s.opener.plans)
    await s.stop()
    assert s.events == [Unregistered(0, 0)]
    assert s.opener.closed == 1


async def test_the_carrier_may_ask_for_patience() -> None:
    message = (
        b"SIP/2.0 503 X\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\n"
        b"To: <sip:a@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nRetry-After: 7 (full)\r\n\r\n"
    )
    s = Scene(RegistrationState(503, "X", 0, message))
    await eventually(lambda: s.events)
    assert s.events[0].retry_in_s == 7.0
    await s.stop()
