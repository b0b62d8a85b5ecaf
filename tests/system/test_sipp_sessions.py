"""SIPp with reliable provisional responses, UPDATE, session timers and early media.

The bot's shortest session interval is that of RFC 4028, 90 s. What takes longer than a test is
tried with a user agent of ours that takes shorter ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from telephony.base.ids import Ids
from telephony.net.sip_endpoint import SipEndpoint
from telephony.sip.config import UserAgentConfig
from telephony.sip.events import Event, InviteReceived, LegEnded, OfferReceived
from telephony.sip.user_agent import UserAgent
from tests.support.sipp import SCENARIOS, run_sipp, sipp_server
from tests.system.bot import Bot
from tests.system.conftest import RunScenario
from tests.system.rtp_peer import RtpPeer

pytestmark = pytest.mark.system

_SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 9 RTP/AVP 0\r\na=inactive\r\n"
)
# The session of the INVITE, with another version: many count it up every time.
_REFRESHED = """\
  <send><![CDATA[

    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    [last_CSeq:]
    Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>
    Require: timer
    Session-Expires: 2;refresher=uac
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=sipp 1 2 IN IP4 [local_ip]
    s=-
    c=IN IP4 [local_ip]
    t=0 0
    m=audio [rtp_port] RTP/AVP 0 8 101
    a=rtpmap:0 PCMU/8000
    a=rtpmap:8 PCMA/8000
    a=rtpmap:101 telephone-event/8000
    a=fmtp:101 0-15
    a=ptime:20
    a=sendrecv

  ]]></send>
"""


class _Answerer:
    """A user agent of ours on loopback that answers calls, and keeps what happened."""

    def __init__(self, config: UserAgentConfig) -> None:
        self.events: list[Event] = []
        self.user_agent = UserAgent(config, Ids.seeded(5))
        loop = asyncio.get_running_loop()
        self.endpoint = SipEndpoint(self.user_agent, loop, self._event)
        self.port = 0

    def _event(self, event: Event) -> None:
        self.events.append(event)
        now = self.endpoint.clock()
        if isinstance(event, InviteReceived):
            self.user_agent.answer(event.leg_id, _SDP, now)
        elif isinstance(event, OfferReceived):
            self.user_agent.answer_offer(event.leg_id, _SDP, now)

    def ends(self) -> list[LegEnded]:
        return [event for event in self.events if isinstance(event, LegEnded)]


@asynccontextmanager
async def _answerer(
    session_expires_s: int = 0, min_session_expires_s: int = 1
) -> AsyncIterator[_Answerer]:
    config = UserAgentConfig(
        session_expires_s=session_expires_s, min_session_expires_s=min_session_expires_s
    )
    answerer = _Answerer(config)
    answerer.port = await answerer.endpoint.listen("127.0.0.1", 0)
    try:
        yield answerer
    finally:
        await answerer.endpoint.close()


# -- the bot --------------------------------------------------------------------------------------


async def test_a_caller_that_requires_100rel_and_takes_its_time(
    bot: Bot, sipp: RunScenario
) -> None:
    run = await sipp("reliable_ringing", bot, service="slow")
    # After 0.5 and 1 s more; the PRACK came before the next one was due.
    assert run.messages.count("SIP/2.0 180 Ringing") == 3
    (call,) = await bot.logged("call.finished")
    assert (call["cause"], call["status"]) == ("caller_cancelled", 487)


@pytest.mark.parametrize("how", ["Require", "Supported"])
async def test_reliable_early_media_and_the_answer(
    bot: Bot, sipp: RunScenario, rtp: RtpPeer, how: str
) -> None:
    await sipp("early_media", bot, service="early", values={"how": how})
    (call,) = await bot.logged("call.finished")
    assert call["cause"] == "dialplan_hung_up"
    # One stream from the 183 on; the answer changes nothing in it.
    assert len({packet.ssrc for packet in rtp.packets}) == 1
    numbers = [packet.sequence_number for packet in rtp.packets]
    assert numbers == [(numbers[0] + n) & 0xFFFF for n in range(len(numbers))]


async def test_an_announcement_before_the_refusal(
    bot: Bot, sipp: RunScenario, rtp: RtpPeer
) -> None:
    await sipp("early_announcement", bot, service="early_busy")
    (call,) = await bot.logged("call.finished")
    assert call["status"] == 486
    assert len(rtp.packets) > 20


async def test_hold_and_refresh_by_update(bot: Bot, sipp: RunScenario) -> None:
    await sipp("update", bot, pause_ms=400)
    await bot.logged("call.finished")
    assert len(bot.events("leg.held")) == len(bot.events("leg.resumed")) == 1


async def test_a_session_interval_below_the_minimum(bot: Bot, sipp: RunScenario) -> None:
    await sipp("session_interval", bot, pause_ms=300)
    (call,) = await bot.logged("call.finished")
    assert call["cause"] == "caller_hung_up"
    assert not bot.events("leg.held")


# -- a user agent with short sessions -------------------------------------------------------------


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
async def test_sessions_that_we_refresh(tmp_path: Path, method: str) -> None:
    answer = _REFRESHED
    if method == "INVITE":
        answer += '\n  <recv request="ACK"/>\n'
    values = {"method": method, "answer": answer, "allow": ", UPDATE" if method == "UPDATE" else ""}
    async with _answerer() as ours:
        run = await run_sipp(
            SCENARIOS / "session_refreshed.xml",
            ("127.0.0.1", ours.port),
            tmp_path,
            values=values,
            keys={"rtp_port": "9"},
        )
        assert run.succeeded, str(run)
        assert [event.by for event in ours.ends()] == ["remote"]
        assert ours.user_agent.stats.sessions_refreshed == 2
        # The refreshes are no business of the layer above.
        assert len(ours.events) == 3, ours.events


async def test_sessions_that_the_caller_refreshes_no_more(tmp_path: Path) -> None:
    async with _answerer() as ours:
        run = await run_sipp(
            SCENARIOS / "session_expired.xml",
            ("127.0.0.1", ours.port),
            tmp_path,
            keys={"rtp_port": "9"},
        )
        assert run.succeeded, str(run)
        (ended,) = ours.ends()
        assert (ended.by, ended.status) == ("error", 408)
        assert ours.user_agent.stats.sessions_expired == 1


async def test_a_callee_that_wants_longer_sessions_and_refreshes_them(tmp_path: Path) -> None:
    scenario = SCENARIOS / "session_called.xml"
    async with _answerer(session_expires_s=2) as ours, sipp_server(scenario, tmp_path) as far:
        flow = ours.endpoint.flow_to(far.address)
        uri = f"sip:far@{far.address[0]}:{far.address[1]}"
        ours.user_agent.invite(uri, "sip:bot@127.0.0.1", _SDP, flow, ours.endpoint.clock())
        ours.endpoint.flush()
        run = await far.finished()
        assert run.succeeded, str(run)
        (ended,) = ours.ends()
        assert (ended.by, ended.status) == ("error", 408)
