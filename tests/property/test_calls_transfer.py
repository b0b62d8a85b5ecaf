"""Whatever happens around a transfer, in whatever order: no leg, task or dialling is left."""

from __future__ import annotations

import asyncio
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from telephony.calls import call as call_module
from telephony.calls import cause
from telephony.calls import transfer as transfer_module
from telephony.calls.destination import Destination
from telephony.dialplan.actions import Action, ConnectModel, Transfer
from tests.support.fake_call import FakeLeg
from tests.support.transfers import ATTENDED, Scene

EVENTS = [
    "blind",
    "attended",
    "dial_answered",
    "dial_busy",
    "dial_rings",
    "agent_hangs_up",
    "refer_progresses",
    "refer_succeeds",
    "refer_fails",
    "caller_hangs_up",
    "caller_holds",
    "caller_resumes",
    "replaced",
    "replaced_slowly",
    "replacement_stands",
    "replacement_fails",
    "referred",
    "model_lost",
    "drain",
    "time",
]


class Story:
    """Lets things happen to one call, as far as they can at the moment."""

    def __init__(self, *actions: Action) -> None:
        self.scene = Scene(*actions, referral_target=lambda facts, uri: "1")
        self.newcomers: list[FakeLeg] = []
        self.left: list[FakeLeg] = []

    @property
    def leg(self) -> FakeLeg:
        leg = self.scene.call.leg
        assert isinstance(leg, FakeLeg)
        return leg

    def tell(self, event: str) -> None:
        call, dialer = self.scene.call, self.scene.dialer
        here = self.leg not in self.left and not self.leg.gone
        if event in ("blind", "attended"):
            destination = ATTENDED if event == "attended" else Destination("1")
            self.scene.transfer(destination)
        elif event == "dial_answered" and dialer.pending:
            dialer.answer()
        elif event == "dial_busy" and dialer.pending:
            dialer.fail("busy", 486)
        elif event == "dial_rings" and dialer.pending:
            dialer.listeners[-1].leg_progressed(180)
        elif event == "agent_hangs_up":
            self._end_last(dialer.answered)
        elif event == "drain":
            call.end(cause.DRAIN_DEADLINE)
        elif event == "model_lost" and call.conversation is not None:
            call.conversation.end(cause.MODEL_LOST)
        elif event in ("replacement_stands", "replacement_fails"):
            self._replacement(event)
        elif here:
            self._leg_tells(event)

    def _leg_tells(self, event: str) -> None:
        call = self.scene.call
        if event.startswith("refer_") and self.leg.referred:
            if event == "refer_progresses":
                call.transfer_progressed(180, "Ringing")
            else:
                call.transfer_finished(200 if event == "refer_succeeds" else 486, "")
        elif event == "caller_hangs_up":
            self.left.append(self.leg)
            call.leg_ended("remote", "", 0)
        elif event in ("caller_holds", "caller_resumes"):
            call.leg_held(event == "caller_holds")
        elif event in ("replaced", "replaced_slowly"):
            new = FakeLeg(confirms=event == "replaced")
            self.newcomers.append(new)
            call.leg_replaced(new)
        elif event == "referred":
            call.refer_received("sip:1@x", "sip:2@x")

    def _end_last(self, legs: list[FakeLeg]) -> None:
        if legs and legs[-1] not in self.left and not legs[-1].gone:
            self.left.append(legs[-1])
            assert legs[-1].listener is not None
            legs[-1].listener.leg_ended("remote", "", 0)

    def _replacement(self, event: str) -> None:
        waiting = [leg for leg in self.newcomers if not leg.gone and leg not in self.left]
        if not waiting or waiting[-1] is self.leg or waiting[-1].listener is None:
            return
        if event == "replacement_stands":
            waiting[-1].listener.leg_confirmed()
        else:
            self.left.append(waiting[-1])
            waiting[-1].listener.leg_ended("error", "no_ack", 408)

    def speak(self) -> None:
        """Let every leg's media play what there is."""
        for leg in (self.leg, *self.scene.dialer.answered):
            if leg.media.sink is not None and not leg.gone:
                for _ in range(150):
                    leg.media.sink.speak(0.0)

    async def run(self, events: list[tuple[str, int]]) -> None:
        before = asyncio.all_tasks() - {self.scene.running}
        for event, turns in events:
            self.tell(event)
            for _ in range(turns):
                await asyncio.sleep(0)
            self.speak()
        call = self.scene.call
        call.end(cause.DRAIN_DEADLINE)
        async with asyncio.timeout(10):
            await self.scene.running
        legs = [self.scene.leg, self.leg, *self.newcomers, *self.scene.dialer.answered]
        assert all(leg.did[-1] == "close" for leg in legs)
        assert all(leg.gone for leg in legs)
        assert not self.scene.dialer.pending
        assert self.scene.watcher.legs == []
        assert asyncio.all_tasks() == before
        assert call.ending is not None
        transferred = any(record.outcome == "transferred" for record in call.transfers.records)
        if call.ending is cause.TRANSFERRED:
            assert call.transfers.succeeded
        if transferred:
            assert call.transfers.succeeded


def tell(events: list[tuple[str, int]], *actions: Action) -> None:
    async def work() -> None:
        await Story(*actions).run(events)

    with (
        patch.object(call_module, "HEARD_TAIL_S", 0.0),
        patch.object(transfer_module, "PEER_HANGUP_S", 0.001),
        patch.object(transfer_module, "LAST_SENTENCE_S", 0.0),
    ):
        asyncio.run(work())


STORIES = st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 6)), max_size=14)
BEGINNING = [("time", 12)]
OPENINGS = st.sampled_from(
    [
        [],
        [("blind", 4)],
        [("attended", 4)],
        [("attended", 4), ("dial_answered", 6)],
        [("dial_answered", 6)],
        [("replaced_slowly", 1)],
        [("referred", 4)],
    ]
)


@settings(max_examples=150, deadline=None)
@example([("referred", 4)], [("drain", 1), ("dial_rings", 0)])
@given(OPENINGS, STORIES)
def test_nothing_is_left_of_a_conversation(
    opening: list[tuple[str, int]], events: list[tuple[str, int]]
) -> None:
    tell(BEGINNING + opening + events, ConnectModel("bot"))


@settings(max_examples=100, deadline=None)
@given(OPENINGS, STORIES)
def test_nothing_is_left_of_a_dialplan(
    opening: list[tuple[str, int]], events: list[tuple[str, int]]
) -> None:
    actions = (Transfer("1", "attended", play="apology"), Transfer("2"), ConnectModel("bot"))
    tell(BEGINNING + opening + events, *actions)


@settings(max_examples=100, deadline=None)
@given(st.permutations(["dial_answered", "refer_succeeds", "agent_hangs_up", "caller_hangs_up"]))
def test_the_end_of_an_attended_transfer_in_every_order(order: list[str]) -> None:
    tell([*BEGINNING, ("attended", 4), *((event, 4) for event in order)], ConnectModel("bot"))
