"""A leg between a line and a listener that only remember."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.pjsip_stack import LOUD

# isort: split
from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.base.interfaces import CannotAnswer
from telephony.sdp.crypto import SUITES
from telephony.sdp.offer_answer import LocalMedia, OfferAnswer
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.peer_policy import at_the_peers_host
from telephony.stacks.pjsip import call_events as tell
from telephony.stacks.pjsip.frame_queues import FrameQueues, FrameQueueStats
from telephony.stacks.pjsip.leg import PjsipLeg
from telephony.stacks.pjsip.leg_parts import LegParts
from telephony.stacks.pjsip.ticker import Ticker
from tests.support.fake_call import FACTS, FakeClock
from tests.support.stacks import Party

BUSY = (
    b"SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\n"
    b"To: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
)
OK = BUSY.replace(b"486 Busy Here", b"200 OK")
BYE = (
    b"BYE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKy\r\nFrom: <sip:a@h>;tag=1\r\n"
    b"To: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 2 BYE\r\nReason: Q.850;cause=16\r\n\r\n"
)


class Line:
    def __init__(self) -> None:
        self.did: list[Any] = []

    def respond(self, status: int, reason: str = "", headers: Any = ()) -> None:
        self.did.append((status, dict(headers)) if headers else status)

    def hang_up(self, headers: Any = ()) -> None:
        self.did.append(("hang_up", dict(headers)) if headers else "hang_up")

    def hold(self) -> None:
        self.did.append("hold")

    def resume(self) -> None:
        self.did.append("resume")

    def refer(self, target_uri: str) -> None:
        self.did.append(("refer", target_uri))

    def refer_replacing(self, replaced: Any) -> None:
        self.did.append("refer_replacing")

    def press(self, digit: str, duration_ms: int, by_info: bool) -> None:
        self.did.append(digit)

    def count(self) -> None:
        return None


class Scene:
    def __init__(
        self,
        *,
        outbound: bool = False,
        srtp: str = "off",
        offer: str = "pcmu",
        ack_timeout_s: float = 32.0,
    ) -> None:
        loop = asyncio.get_running_loop()
        clock = FakeClock()
        self.line, self.party = Line(), Party(says=LOUD)
        config = MediaConfig("127.0.0.1", "127.0.0.1", codecs=("pcmu",))
        parts = LegParts(
            loop,
            config,
            Ticker(loop, clock),
            clock,
            Ids.seeded(1),
            SUITES,
            ack_timeout_s=ack_timeout_s,
        )
        local = LocalMedia("192.0.2.1", 4000, (offer,))  # type: ignore[arg-type]
        sdp = None if outbound else OfferAnswer(local, Ids.seeded(2)).create_offer()
        policy = MediaPolicy(srtp=srtp)  # type: ignore[arg-type]
        self.leg = PjsipLeg(
            parts, self.line, FACTS, sdp, policy, at_the_peers_host, outbound=outbound
        )
        self.leg.listen(self.party)

    def state(self, state: tell.CallState, status: int = 0, reason: str = "") -> None:
        self.leg.receive(tell.StateChanged(state, status, reason, "sip:peer@192.0.2.9:5070"))

    def media(self, sends: bool = True, receives: bool = True) -> None:
        queues = FrameQueues(FrameQueueStats())
        self.leg.receive(tell.MediaChanged(sends, receives, True, queues))

    def response(self, status: int, message: bytes = b"") -> None:
        self.leg.receive(tell.ResponseReceived(status, "", message))

    def stand(self) -> None:
        if not self.leg._outbound:
            self.leg.prepare()
            self.leg.answer()
        self.media()
        self.state("confirmed", 200)
        if self.leg._outbound:
            self.response(200, OK)
        self.line.did.clear()


async def test_a_call_that_comes_in_is_answered_and_ended() -> None:
    s = Scene()
    with pytest.raises(LocalProtocolError):
        _ = s.leg.media
    s.leg.prepare()
    s.leg.ring()
    s.leg.progress()
    s.leg.answer()
    assert s.line.did == [180, 183, 200]
    s.state("confirmed", 200)
    assert not s.party.confirmed.is_set()
    s.media()
    assert s.party.confirmed.is_set()
    s.leg.hangup("bot_hung_up")
    s.leg.hangup()
    s.leg.reject(486)
    assert s.line.did[3:] == [("hang_up", {"Reason": 'Q.850;cause=16;text="Normal call clearing"'})]
    s.state("disconnected", 200)
    assert s.party.ended == ("local", "", 0)


@pytest.mark.parametrize(
    ("offer", "srtp", "status"), [("pcma", "off", 488), ("pcmu", "required", 488)]
)
async def test_an_offer_that_the_policy_forbids_is_refused_with_the_reason(
    offer: str, srtp: str, status: int
) -> None:
    s = Scene(offer=offer, srtp=srtp)
    with pytest.raises(CannotAnswer) as caught:
        s.leg.prepare()
    assert caught.value.status == status
    s.leg.reject(status, retry_after_s=5)
    ((sent, headers),) = s.line.did
    assert sent == status
    assert headers["Retry-After"] == "5"
    assert headers["Warning"].startswith("30")
    s.state("disconnected", status)
    assert s.party.ended == ("local", "", status)


@pytest.mark.parametrize(
    ("status", "ended"),
    [(487, ("remote", "cancelled", 487)), (488, ("error", "Not Acceptable Here", 488))],
)
async def test_a_call_may_end_before_its_answer(status: int, ended: tuple[str, str, int]) -> None:
    s = Scene()
    s.leg.prepare()
    s.state("disconnected", status, "Not Acceptable Here")
    s.state("disconnected", status)
    assert s.party.ended == ended
    s.leg.answer()
    s.leg.ring()
    s.leg.hangup()
    assert s.line.did == []


async def test_hanging_up_before_the_answer_refuses() -> None:
    s = Scene()
    s.leg.prepare()
    s.leg.hangup()
    s.leg.hangup()
    assert s.line.did == [480]


async def test_why_the_peer_hung_up_is_known() -> None:
    s = Scene()
    s.stand()
    s.leg.receive(tell.ByeReceived(BYE))
    s.state("disconnected", 200)
    assert s.party.ended == ("remote", "Q.850;cause=16", 0)


async def test_an_answer_that_nobody_acknowledges_ends_the_call() -> None:
    s = Scene()
    s.leg.prepare()
    s.leg.answer()
    s.media()
    s.state("connecting", 200)
    s.state("disconnected", 408)
    assert s.party.ended == ("error", "no_ack", 408)


async def test_a_session_that_expired_ended_by_a_fault() -> None:
    s = Scene()
    s.stand()
    s.state("disconnected", 408, "Request Timeout")
    assert s.party.ended == ("error", "Request Timeout", 408)


async def test_a_call_of_ours_progresses_and_is_answered() -> None:
    s = Scene(outbound=True)
    s.response(100)
    assert s.leg.heard
    s.response(180)
    s.media()
    s.response(183)
    s.state("connecting", 200)
    s.state("confirmed", 200)
    assert s.party.progress == [(180, False), (183, True)]
    assert s.party.confirmed.is_set()
    s.leg.hangup()
    assert s.line.did == ["hang_up"]


async def test_the_refusal_of_the_network_comes_with_its_headers() -> None:
    s = Scene(outbound=True)
    s.response(486, BUSY)
    s.state("disconnected", 486, "Busy Here")
    assert s.party.ended == ("remote", "Busy Here", 486)
    assert s.leg.failure is not None
    assert s.leg.failure.headers["Call-ID"] == "c"


async def test_a_failure_of_ours_has_no_headers() -> None:
    s = Scene(outbound=True)
    s.leg.receive(tell.CommandFailed("place", "Too many calls"))
    assert s.party.ended == ("remote", "Too many calls", 503)
    assert s.leg.failure is not None
    assert s.leg.failure.headers.get("Call-ID") is None


async def test_hold_waits_until_the_call_stands() -> None:
    s = Scene()
    s.leg.hold()
    s.leg.prepare()
    s.leg.answer()
    s.leg.hold()
    assert s.line.did == [200]
    s.media()
    s.state("confirmed")
    assert s.line.did == [200, "hold"]
    s.response(200)
    s.leg.resume()
    assert s.line.did == [200, "hold", "resume"]


async def test_hold_of_the_peer_is_reported_once() -> None:
    s = Scene()
    s.stand()
    for receives in (False, False, True):
        s.media(receives=receives)
    assert s.party.holds == [True, False]


async def test_a_transfer_goes_to_a_number_at_the_peers_host() -> None:
    s = Scene()
    s.stand()
    s.leg.transfer("+15550123")
    assert s.line.did == [("refer", "sip:+15550123@192.0.2.9:5070")]
    s.leg.receive(tell.ReferAnswered(202, "Accepted"))
    s.leg.receive(tell.ReferNotified(180, "Ringing", False))
    s.leg.receive(tell.ReferNotified(200, "OK", True))
    assert (s.party.transfer, s.party.transferred) == ([180], 200)


async def test_an_attended_transfer_names_the_dialog_that_it_replaces() -> None:
    s, other, came_in, over = Scene(), Scene(outbound=True), Scene(), Scene(outbound=True)
    for scene in (s, other, came_in):
        scene.stand()
    over.state("disconnected", 404)
    s.leg.transfer("", other.leg)
    s.leg.transfer("", came_in.leg)
    uri = "sip:peer@192.0.2.9:5070?Replaces=c%3Bto-tag%3D2%3Bfrom-tag%3D1"
    assert s.line.did == [("refer", uri), "refer_replacing"]
    s.leg.transfer("", over.leg)
    await asyncio.sleep(0)
    assert s.party.transferred == 481


async def test_digits_of_info_and_of_rtp_are_not_both_taken() -> None:
    s = Scene()
    s.stand()
    for digit, by_rtp in (("5", False), ("5", True), ("6", False)):
        s.leg.receive(tell.DigitPressed(digit, by_rtp))
    assert s.party.digits == "56"


async def test_nobody_rings_for_ever() -> None:
    s = Scene(outbound=True)
    s.leg.give_up_after(0.0)
    await asyncio.sleep(0.001)
    assert s.line.did[0][0] == "hang_up"


async def test_a_call_that_nobody_acknowledges_ends_by_itself() -> None:
    s = Scene(ack_timeout_s=0.0)
    s.leg.prepare()
    s.leg.answer()
    s.media()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert s.line.did == [200, "hang_up"]
    assert s.leg.ended
    assert s.party.ended == ("error", "no_ack", 408)


async def test_a_call_that_stands_is_left_alone() -> None:
    s = Scene(ack_timeout_s=0.0)
    s.leg.prepare()
    s.leg.answer()
    s.media()
    s.state("confirmed", 200)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert s.line.did == [200]
    assert not s.leg.ended
