"""A leg between a user agent and media that only remember."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.base.interfaces import CannotAnswer
from telephony.net.clock import monotonic
from telephony.net.pacer import Pacer
from telephony.sdp.offer_answer import LocalMedia, OfferAnswer
from telephony.sip import events as sip
from telephony.stacks import media_config
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.rtp_media import MediaConfig, MediaPlane
from tests.support.fake_call import FACTS
from tests.support.ports import port_pool


class Remembers:
    """A user agent or an endpoint: notes the names of what is called, and their arguments."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self.calls.append((name, args))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls if name != "flush"]


class Listener:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        self.told.append(status)

    def leg_confirmed(self) -> None:
        self.told.append("confirmed")

    def leg_held(self, held: bool) -> None:
        self.told.append(("held", held))

    def digit_received(self, digit: str, held: bool = False) -> None:
        self.told.append(("digit", digit))

    def digit_finished(self, digit: str, duration_ms: int) -> None:
        self.told.append(("finished", digit, duration_ms))

    def leg_ended(self, ended_by: str, cause: str, status: int) -> None:
        self.told.append((ended_by, cause, status))


class Scene:
    def __init__(self, plane: MediaPlane) -> None:
        self.plane = plane
        self.agent = Remembers()
        self.listener = Listener()
        self.peer = OfferAnswer(
            LocalMedia("127.0.0.1", 4000, ("pcmu", "pcma"), 20, True), Ids.seeded(9)
        )
        self.errors: list[dict[str, Any]] = []
        plane.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.legs: list[NativeLeg] = []

    def leg(self, offer: bytes | None, leg_id: str = "leg-1") -> NativeLeg:
        agent: Any = self.agent
        endpoint: Any = Remembers()
        leg = NativeLeg(agent, endpoint, self.plane, leg_id, FACTS, offer)
        leg.listen(self.listener)
        self.legs.append(leg)
        return leg

    def inbound(self) -> NativeLeg:
        leg = self.leg(self.peer.create_offer())
        leg.prepare()
        self.peer.receive_answer(leg.local_sdp)
        return leg

    def answered(self) -> NativeLeg:
        leg = self.inbound()
        leg.answer()
        leg.confirmed(sip.LegConfirmed("leg-1", None))
        return leg


@asynccontextmanager
async def scene(ports: int = 20) -> AsyncIterator[Scene]:
    loop, ids = asyncio.get_running_loop(), Ids.seeded(1)
    pacer = Pacer(loop)
    pool = port_pool(ports, ids)
    config = MediaConfig("127.0.0.1", "127.0.0.1")
    made = Scene(MediaPlane(config, loop, pool, pacer, monotonic, ids))
    yield made
    for leg in made.legs:
        leg.close()
        leg.close()
    pacer.close()
    assert pool.in_use == 0


async def test_a_call_is_answered_once_its_media_is_known() -> None:
    async with scene() as s:
        leg = s.leg(s.peer.create_offer())
        with pytest.raises(LocalProtocolError):
            _ = leg.media
        leg.prepare()
        leg.ring()
        leg.answer()
        leg.confirmed(sip.LegConfirmed("leg-1", None))
        assert s.agent.names == ["ring", "answer"]
        assert s.listener.told == ["confirmed"]
        leg.hangup("bye")
        leg.hangup("bye")
        leg.reject(486)
        assert s.agent.names == ["ring", "answer", "bye"]


async def test_hanging_up_before_the_answer_refuses() -> None:
    async with scene() as s:
        leg = s.inbound()
        leg.hangup()
        leg.hangup()
        assert s.agent.names == ["reject"]
        assert s.agent.calls[0][1][1] == 480


async def test_no_port_is_a_503_and_no_codec_a_488() -> None:
    async with scene(ports=1) as s:
        port = s.plane.ports.acquire(0.0)
        with pytest.raises(CannotAnswer) as caught:
            s.leg(s.peer.create_offer()).prepare()
        assert caught.value.status == 503
        s.plane.ports.release(port, 0.0)
        with pytest.raises(CannotAnswer) as caught:
            s.leg(b"v=0\r\nnonsense").prepare()
        assert caught.value.status in (400, 488)


async def test_the_last_file_descriptor_is_a_503_and_gives_its_port_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_descriptor(remote: Any) -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(media_config, "local_address_towards", no_descriptor)
    async with scene() as s:
        s.plane = replace(s.plane, config=replace(s.plane.config, advertised_host=None))
        with pytest.raises(CannotAnswer) as caught:
            s.leg(s.peer.create_offer()).prepare()
        assert caught.value.status == 503
        assert s.plane.ports.in_use == 0


async def test_an_invite_without_an_offer_is_answered_with_ours() -> None:
    async with scene() as s:
        leg = s.leg(None)
        leg.prepare()
        assert leg.media.encoding == "pcmu"
        only_pcma = OfferAnswer(LocalMedia("127.0.0.1", 4000, ("pcma",), 20, True), Ids.seeded(9))
        answer = only_pcma.answer(leg.local_sdp)
        leg.answer()
        leg.confirmed(sip.LegConfirmed("leg-1", answer.sdp))
        assert s.listener.told == ["confirmed"]
        # The model was connected for what was shown before.
        assert leg.media.encoding == "pcmu"


@pytest.mark.parametrize("body", [None, b"v=0\r\nnonsense"])
async def test_an_ack_without_the_answer_ends_the_call(body: bytes | None) -> None:
    async with scene() as s:
        leg = s.leg(None)
        leg.prepare()
        leg.answer()
        leg.confirmed(sip.LegConfirmed("leg-1", body))
        assert s.listener.told == []
        assert s.agent.names == ["answer", "bye"]


async def test_hold_and_resume_are_reported_once() -> None:
    async with scene() as s:
        leg = s.answered()
        for direction in ("sendonly", "sendonly", "inactive", "sendrecv", "sendrecv", "recvonly"):
            s.peer.direction = direction  # type: ignore[assignment]
            leg.offer_received(sip.OfferReceived("leg-1", s.peer.create_offer()))
            s.peer.receive_answer(s.agent.calls[-1][1][1])
        told = [told for told in s.listener.told if told != "confirmed"]
        assert told == [("held", True), ("held", False), ("held", True)]


async def test_a_call_that_begins_on_hold_says_so() -> None:
    async with scene() as s:
        s.peer.direction = "sendonly"
        s.answered()
        assert s.listener.told == ["confirmed", ("held", True)]


async def test_an_offer_that_cannot_be_taken_leaves_the_session_as_it_was() -> None:
    async with scene() as s:
        leg = s.answered()
        leg.offer_received(sip.OfferReceived("leg-1", b"v=0\r\nnonsense"))
        assert s.agent.names[-1] == "refuse_offer"
        leg.offer_received(sip.OfferReceived("leg-1", None))
        assert s.agent.names[-1] == "answer_offer"
        leg.offer_withdrawn(sip.OfferWithdrawn("leg-1"))
        leg.offer_received(sip.OfferReceived("leg-1", None))
        answer = s.peer.answer(s.agent.calls[-1][1][1])
        leg.answer_received(sip.AnswerReceived("leg-1", answer.sdp))
        leg.answer_received(sip.AnswerReceived("leg-1", None))
        assert s.listener.told == ["confirmed"]


async def test_digits_of_info_and_of_rtp_are_not_both_taken() -> None:
    relay = sip.InfoReceived("leg-1", "application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n")
    async with scene() as s:
        leg = s.answered()
        leg.info_received(sip.InfoReceived("leg-1", "text/plain", b"5"))
        leg.info_received(relay)
        leg.digits.rtp_digit("5")
        leg.info_received(relay)
        assert s.listener.told == ["confirmed", ("digit", "5"), ("digit", "5")]
    async with scene() as s:
        leg = s.answered()
        leg.digits.rtp_digit("5")
        leg.info_received(relay)
        assert s.listener.told == ["confirmed", ("digit", "5")]


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([sip.LegEnded("leg-1", "remote", "Q.850", None)], ("remote", "Q.850", 0)),
        ([sip.LegEnded("leg-1", "local")], ("local", "", 0)),
        (
            [sip.AckTimedOut("leg-1"), sip.LegEnded("leg-1", "local")],
            ("error", "no_ack", 408),
        ),
        ([sip.InviteCancelled("leg-1")], ("remote", "cancelled", 487)),
        ([sip.CallFailed("leg-1", 486, "Busy Here")], ("remote", "Busy Here", 486)),
    ],
)
async def test_how_a_leg_ends_is_told_once(events: list[Any], told: tuple[str, str, int]) -> None:
    react: dict[type, Any] = {
        sip.LegEnded: NativeLeg.leg_ended,
        sip.AckTimedOut: NativeLeg.ack_timed_out,
        sip.InviteCancelled: NativeLeg.invite_cancelled,
        sip.CallFailed: NativeLeg.call_failed,
    }
    async with scene() as s:
        leg = s.inbound()
        for event in [*events, events[-1]]:
            react[type(event)](leg, event)
        assert s.listener.told == [told]
        assert leg.ended
        leg.ring()
        leg.answer()
        leg.hangup()
        leg.reject(486)
        assert s.agent.names == []


async def test_a_fault_of_the_media_ends_the_leg() -> None:
    async with scene() as s:
        leg = s.answered()
        error = RuntimeError("a fault of ours")
        leg._media_failed(error)
        assert s.agent.names == ["answer", "bye"]
        leg.leg_ended(sip.LegEnded("leg-1", "local"))
        assert s.listener.told == ["confirmed", ("error", "media_failed", 500)]
        assert [context["exception"] for context in s.errors] == [error]


async def test_a_fault_before_the_answer_refuses_the_call() -> None:
    async with scene() as s:
        leg = s.inbound()
        leg._media_failed(RuntimeError("a fault of ours"))
        assert s.agent.calls[0][0] == "reject"
        assert s.agent.calls[0][1][1] == 500


async def test_an_outbound_leg_progresses_and_is_answered() -> None:
    async with scene() as s:
        leg = s.leg(None, "")
        leg.prepare_offer()
        leg.call_progressed(sip.CallProgressed("leg-1", 180, None))
        leg.call_answered(sip.CallAnswered("leg-1", s.peer.answer(leg.local_sdp).sdp))
        assert s.listener.told == [180, "confirmed"]
        leg.hangup()
        assert s.agent.names == ["bye"]


async def test_an_outbound_leg_is_cancelled_before_its_answer() -> None:
    async with scene() as s:
        leg = s.leg(None, "")
        leg.prepare_offer()
        leg.hangup()
        assert s.agent.names == ["cancel"]


@pytest.mark.parametrize("body", [None, b"v=0\r\nnonsense"])
async def test_an_answer_without_media_ends_the_call(body: bytes | None) -> None:
    async with scene() as s:
        leg = s.leg(None, "")
        leg.prepare_offer()
        leg.call_answered(sip.CallAnswered("leg-1", body))
        assert s.agent.names == ["bye"]
        assert s.listener.told == []


async def test_a_refresh_of_the_user_agents_is_no_offer_of_ours() -> None:
    async with scene() as s:
        leg = s.answered()
        assert leg.local_sdp
        peer = OfferAnswer(LocalMedia("127.0.0.1", 4002, ("pcmu",), 20, True), Ids.seeded(3))
        leg.answer_received(sip.AnswerReceived("leg-1", peer.answer(leg.local_sdp).sdp))
        leg.offer_received(sip.OfferReceived("leg-1", s.peer.create_offer()))
        leg.answer_received(sip.AnswerReceived("leg-1", peer.answer(leg.local_sdp).sdp))
        assert not leg.ended


async def test_a_prack_may_bring_the_answer_to_our_offer() -> None:
    async with scene() as s:
        leg = s.leg(None)
        leg.prepare()
        leg.progress()
        leg.answer_received(sip.AnswerReceived("leg-1", s.peer.answer(leg.local_sdp).sdp))
        leg.answer()
        leg.confirmed(sip.LegConfirmed("leg-1", None))
        assert s.agent.names == ["progress", "answer"]
        assert s.listener.told == ["confirmed"]


async def test_an_offer_of_the_peer_while_ours_waits_after_a_collision_is_answered() -> None:
    """RFC 3261 section 14.1: whoever may try again first does, and the other side answers."""
    async with scene() as s:
        leg = s.answered()
        leg.hold()
        leg.offer_received(sip.OfferReceived("leg-1", s.peer.create_offer()))
        assert s.agent.names == ["answer", "reinvite", "answer_offer"]
        assert b"a=sendonly" in s.agent.calls[-1][1][1]
        leg.reinvite_failed(sip.ReinviteFailed("leg-1", 491, ""))
        leg.resume()
        assert s.agent.names[-1] == "reinvite"


async def test_an_offer_without_its_answer_does_not_stand_in_the_way_of_the_next() -> None:
    async with scene() as s:
        leg = s.answered()
        leg.offer_received(sip.OfferReceived("leg-1", None))
        leg.answer_received(sip.AnswerReceived("leg-1", None))
        leg.offer_received(sip.OfferReceived("leg-1", s.peer.create_offer()))
        leg.hold()
        assert s.agent.names == ["answer", "answer_offer", "answer_offer", "reinvite"]


async def test_the_answer_to_our_offer_in_a_200_counts_after_an_offer_of_ours_failed() -> None:
    async with scene() as s:
        leg = s.answered()
        leg.hold()
        leg.offer_received(sip.OfferReceived("leg-1", None))
        offer = s.agent.calls[-1][1][1]
        leg.reinvite_failed(sip.ReinviteFailed("leg-1", 491, ""))
        leg.answer_received(sip.AnswerReceived("leg-1", s.peer.answer(offer).sdp))
        assert leg.media.stats() is not None
        assert s.agent.names == ["answer", "reinvite", "answer_offer"]


async def test_who_is_taken_off_hold_while_it_is_offered_is_not_left_there() -> None:
    async with scene() as s:
        leg = s.answered()
        leg.hold()
        offer = s.agent.calls[-1][1][1]
        leg.resume()
        assert s.agent.names == ["answer", "reinvite"]
        leg.answer_received(sip.AnswerReceived("leg-1", s.peer.answer(offer).sdp))
        assert s.agent.names == ["answer", "reinvite", "reinvite"]
        assert b"a=sendrecv" in s.agent.calls[-1][1][1]


async def test_a_hold_before_the_call_stands_is_offered_once_it_does() -> None:
    async with scene() as s:
        leg = s.inbound()
        leg.answer()
        leg.hold()
        assert s.agent.names == ["answer"]
        leg.confirmed(sip.LegConfirmed("leg-1", None))
        assert s.agent.names == ["answer", "reinvite"]
