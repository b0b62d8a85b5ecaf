"""Calls of our user agent to SIPp: challenged, forked, with reliable early media, refused."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from telephony.base.ids import Ids
from telephony.net.sip_endpoint import SipEndpoint
from telephony.sip.config import UserAgentConfig
from telephony.sip.credentials import Credentials
from telephony.sip.events import (
    CallAnswered,
    CallFailed,
    CallProgressed,
    Event,
    LegEnded,
    RequestFinished,
)
from telephony.sip.flow import Flow
from telephony.sip.user_agent import UserAgent
from tests.support.eventually import eventually
from tests.support.sipp import SCENARIOS, Address, SippServer, sipp_server

pytestmark = pytest.mark.system

_ALICE = Credentials("alice", "secret")
_OFFER = (
    b"v=0\r\no=bot 1 1 IN IP4 127.0.0.1\r\ns=offer\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\n"
)
_LARGE_OFFER = _OFFER + b"".join(b"a=x-line-%03d:%s\r\n" % (n, b"y" * 50) for n in range(30))


class Caller:
    """A user agent on loopback, and what it heard."""

    def __init__(self) -> None:
        self.agent = UserAgent(UserAgentConfig(), Ids(os.urandom))
        self.events: list[Event] = []
        self.sent: list[tuple[bytes, Flow]] = []
        loop = asyncio.get_running_loop()
        self.endpoint = SipEndpoint(self.agent, loop, self.events.append, trace=self._trace)

    def _trace(self, direction: str, data: bytes, flow: Flow, _now: float) -> None:
        if direction == "sent":
            self.sent.append((data, flow))

    def invite(self, to: Address, offer: bytes = _OFFER, **options: Any) -> str:
        """Call SIPp; return the leg id."""
        flow, now = self.endpoint.flow_to(to), self.endpoint.clock()
        uri, caller = f"sip:callee@{to[0]}:{to[1]}", "sip:bot@127.0.0.1"
        leg_id = self.agent.invite(uri, caller, offer, flow, now, **options)
        self.endpoint.flush()
        return leg_id

    def bye(self, leg_id: str) -> None:
        self.agent.bye(leg_id, self.endpoint.clock())
        self.endpoint.flush()

    def transports(self, method: bytes) -> list[str]:
        return [flow.transport for data, flow in self.sent if data.startswith(method + b" ")]

    async def hears(self, kind: type[Event]) -> Any:
        """Wait for an event of that kind and return it."""
        await eventually(lambda: any(isinstance(event, kind) for event in self.events))
        return next(event for event in self.events if isinstance(event, kind))


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    caller = Caller()
    await caller.endpoint.listen("127.0.0.1", 0)
    try:
        yield caller
    finally:
        await caller.endpoint.close()


@asynccontextmanager
async def callee(name: str, directory: Path, **options: Any) -> AsyncIterator[SippServer]:
    """Run a scenario; it must have gone as it says."""
    async with sipp_server(SCENARIOS / f"{name}.xml", directory, **options) as server:
        yield server
        run = await server.finished()
        assert run.succeeded, str(run)


def _described(sdp: bytes | None, session: bytes) -> bool:
    return sdp is not None and b"s=" + session + b"\r\n" in sdp


async def test_every_challenge_is_answered(caller: Caller, tmp_path: Path) -> None:
    async with callee("called_challenges", tmp_path) as sipp:
        leg_id = caller.invite(sipp.address, credentials=_ALICE)
        await caller.hears(CallAnswered)
        caller.bye(leg_id)
    assert caller.agent.stats.challenges_answered == 2
    assert not caller.agent.legs


async def test_a_callee_who_answered_too_late_is_hung_up_on(caller: Caller, tmp_path: Path) -> None:
    async with callee("called_forks", tmp_path) as sipp:
        leg_id = caller.invite(sipp.address)
        answered = await caller.hears(CallAnswered)
        assert _described(answered.sdp, b"answer two")
        await eventually(lambda: caller.agent.stats.extra_forks_ended == 1)
        await eventually(lambda: len(caller.agent.dialogs) == 1)
        caller.bye(leg_id)
    progress = [event for event in caller.events if isinstance(event, CallProgressed)]
    assert [(event.status, event.fork) for event in progress] == [(180, "one"), (183, "two")]
    assert _described(progress[1].sdp, b"early two")


async def test_early_media_is_acknowledged(caller: Caller, tmp_path: Path) -> None:
    async with callee("called_reliably", tmp_path) as sipp:
        leg_id = caller.invite(sipp.address)
        answered = await caller.hears(CallAnswered)
        assert _described(answered.sdp, b"early")
        caller.bye(leg_id)
    progress = [event.status for event in caller.events if isinstance(event, CallProgressed)]
    assert progress == [183, 180]
    assert caller.agent.stats.provisionals_ignored == 1


async def test_a_callee_has_moved(caller: Caller, tmp_path: Path) -> None:
    async with callee("called_moved", tmp_path) as sipp:
        caller.invite(sipp.address)
        failed = await caller.hears(CallFailed)
    assert failed.status == 302
    assert failed.headers.get_all("Contact") == ["<sip:elsewhere@192.0.2.30>;q=0.5"]


async def test_a_callee_is_busy(caller: Caller, tmp_path: Path) -> None:
    async with callee("called_busy", tmp_path) as sipp:
        caller.invite(sipp.address)
        failed = await caller.hears(CallFailed)
    assert (failed.status, failed.headers["Reason"]) == (486, "Q.850;cause=17")


async def test_ringing_is_cancelled_with_a_reason(caller: Caller, tmp_path: Path) -> None:
    async with callee("called_cancelled", tmp_path) as sipp:
        leg_id = caller.invite(sipp.address)
        await caller.hears(CallProgressed)
        reason = (("Reason", "Q.850;cause=16"),)
        caller.agent.cancel(leg_id, caller.endpoint.clock(), reason)
        caller.endpoint.flush()
        failed = await caller.hears(CallFailed)
    assert failed.status == 487


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_large_invite(caller: Caller, tmp_path: Path, transport: str) -> None:
    """TCP where the callee listens on it; one that does not gets the datagram after all."""
    async with callee("called_answers", tmp_path, transport=transport) as sipp:
        leg_id = caller.invite(sipp.address, _LARGE_OFFER)
        await caller.hears(CallAnswered)
        caller.bye(leg_id)
        await caller.hears(LegEnded)
    refused = transport == "udp"
    assert caller.agent.stats.switches_refused == refused
    assert caller.transports(b"INVITE")[0] == "tcp"
    assert caller.transports(b"INVITE")[-1] == transport
    assert set(caller.transports(b"BYE")) == {transport}


async def test_registration_is_challenged(caller: Caller, tmp_path: Path) -> None:
    async with callee("called_registrar", tmp_path) as sipp:
        flow, now = caller.endpoint.flow_to(sipp.address), caller.endpoint.clock()
        headers = (("Contact", caller.agent.contact_for(flow, "alice")), ("Expires", "60"))
        host, port = sipp.address
        us = f"sip:alice@{host}:{port}"
        request_id = caller.agent.send_request(
            "REGISTER", f"sip:{host}:{port}", us, us, flow, now, headers, credentials=_ALICE
        )
        caller.endpoint.flush()
        finished = await caller.hears(RequestFinished)
    assert finished == RequestFinished(request_id, "REGISTER", 200, "OK")
    assert finished.headers["Expires"] == "60"
