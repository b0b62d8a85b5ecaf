from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import CannotAnswer, ModelUnavailable
from telephony.calls import call as call_module
from telephony.calls import cause
from telephony.calls.call import Call
from telephony.calls.cause import Ending
from telephony.calls.conversation import Conversation
from telephony.calls.services import CallLimits
from telephony.calls.verbs import VERBS
from telephony.dialplan.actions import (
    Action,
    Answer,
    ConnectModel,
    Hangup,
    Play,
    PreAnswer,
    Reject,
)
from telephony.dialplan.matcher import Route
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock, FakeConnector, FakeLeg, services
from tests.support.fake_recorder import FakeRecorder
from tests.support.phones import Watcher


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "WATCH_INTERVAL_S", 0.001)
    monkeypatch.setattr(call_module, "HEARD_TAIL_S", 0.0)


class Scene:
    def __init__(self, *actions: Action, leg: FakeLeg | None = None, **changes: Any) -> None:
        self.leg = leg or FakeLeg()
        self.clock = FakeClock()
        self.watcher = Watcher()
        made: dict[str, Any] = {"clock": self.clock, "metrics": self.watcher}
        self.call = Call("call-1", self.leg, services(**(made | changes)))
        self.call.route = Route("main", "rule", tuple(actions), "test.yaml", 1) if actions else None
        self.leg.listen(self.call)

    @property
    def model(self) -> Any:
        return self.call.services.connector.opened[-1]  # type: ignore[attr-defined]

    def start(self) -> asyncio.Task[None]:
        return asyncio.ensure_future(self.call.run(VERBS))

    async def run(self) -> Ending:
        await self.call.run(VERBS)
        assert self.call.ending is not None
        assert self.leg.did[-1] == "close"
        assert self.watcher.legs == []
        return self.call.ending


def tick(leg: FakeLeg, times: int = 1) -> None:
    for _ in range(times):
        assert leg.media.sink is not None
        leg.media.sink.hear(b"\xff" * 160, 0.0)
        leg.media.sink.speak(0.0)


async def test_the_model_is_connected_before_the_answer() -> None:
    scene = Scene(ConnectModel("bot"))
    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)
    assert scene.leg.did == ["prepare", "ring", "answer"]
    assert scene.model.kinds == ["session.update"]
    assert len(scene.watcher.legs) == 1
    scene.call.leg_ended("remote", "", 0)
    await running
    assert scene.call.ending is cause.CALLER_HUNG_UP
    assert scene.model.closed
    assert scene.call.result == "answered"
    assert scene.call.setup_s == 0.0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CannotAnswer(488, "no codec"), cause.MEDIA_NOT_ACCEPTABLE),
        (CannotAnswer(503, "no port"), cause.NO_MEDIA_PORTS),
    ],
)
async def test_media_that_cannot_be_had_refuses_the_call(
    error: CannotAnswer, expected: Ending
) -> None:
    scene = Scene(Answer(), leg=FakeLeg(error=error))
    assert await scene.run() is expected
    assert scene.leg.did[0][:2] == ("reject", error.status)


async def test_without_a_model_the_call_is_a_503() -> None:
    scene = Scene(ConnectModel("bot"), connector=FakeConnector(ModelUnavailable("down")))
    assert await scene.run() is cause.MODEL_UNAVAILABLE
    assert ("reject", 503, "", 5) in scene.leg.did
    assert "answer" not in scene.leg.did
    assert scene.call.result == "failed"


async def test_a_model_that_is_too_slow_is_a_503() -> None:
    scene = Scene(
        ConnectModel("bot"),
        connector=FakeConnector(ready=False),
        limits=CallLimits(setup_timeout_s=0.01),
    )
    assert await scene.run() is cause.MODEL_UNAVAILABLE
    assert scene.model.closed


async def test_a_caller_may_cancel_while_the_model_connects() -> None:
    scene = Scene(ConnectModel("bot"), connector=FakeConnector(ready=False))
    running = scene.start()
    await eventually(lambda: scene.call.services.connector.opened)  # type: ignore[attr-defined]
    scene.call.leg_ended("remote", "cancelled", 487)
    await running
    assert scene.call.ending is cause.CALLER_CANCELLED
    assert scene.call.result == "cancelled"
    assert scene.model.closed


async def test_a_call_that_ended_before_it_ran_is_not_answered() -> None:
    scene = Scene(ConnectModel("bot"))
    scene.call.leg_ended("remote", "cancelled", 487)
    assert await scene.run() is cause.CALLER_CANCELLED
    assert "answer" not in scene.leg.did


async def test_a_call_cancelled_in_the_breath_of_its_answer_counts_as_cancelled() -> None:
    scene = Scene(Answer())
    scene.call.leg_ended("remote", "cancelled", 487)
    with pytest.raises(call_module.CallEnded):
        await scene.call.answer()
    assert scene.call.answered_at is None
    assert scene.call.result == "cancelled"


async def test_an_answer_nobody_acknowledges_ends_the_call() -> None:
    scene = Scene(Answer(), leg=FakeLeg(confirms=False))
    running = scene.start()
    await eventually(lambda: "answer" in scene.leg.did)
    scene.call.leg_ended("error", "no_ack", 408)
    await running
    assert scene.call.ending is cause.NO_ACK
    assert scene.leg.media.sink is None


async def test_a_prompt_is_played_to_its_end_before_the_hangup() -> None:
    scene = Scene(Play("apology"), Hangup())
    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)
    await asyncio.sleep(0.01)
    assert not running.done()
    while not running.done():
        if scene.call.ended_at is None:
            tick(scene.leg, 50)
        await asyncio.sleep(0)
    assert scene.call.ending is cause.DIALPLAN_HUNG_UP
    assert ("hangup", "dialplan_hung_up") in scene.leg.did


async def test_a_prompt_that_cannot_be_read_ends_the_call() -> None:
    scene = Scene(Play("/nowhere/hello.wav"))
    assert await scene.run() is cause.INTERNAL_ERROR
    assert ("hangup", "internal_error") in scene.leg.did


async def test_the_last_words_follow_a_lost_model() -> None:
    scene = Scene(ConnectModel("bot"))
    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)
    connector: Any = scene.call.services.connector
    connector.refusals = [ModelUnavailable("down", fatal=True)]
    scene.model.on_closed(1006, "")
    spoken = 0
    while not running.done():
        if scene.call.ended_at is None and scene.leg.media.sink is not None:
            spoken += scene.leg.media.sink.speak(0.0) is not None
        await asyncio.sleep(0)
    assert scene.call.ending is cause.MODEL_LOST
    assert spoken > 100


async def test_the_longest_call_and_dead_media_end() -> None:
    scene = Scene(ConnectModel("bot"), limits=CallLimits(max_call_s=60.0))
    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)
    scene.clock.now += 59.0
    scene.leg.media.last_received_at = scene.clock.now
    await asyncio.sleep(0.01)
    assert not running.done()
    scene.clock.now += 1.0
    await running
    assert scene.call.ending is cause.MAX_DURATION


async def test_media_that_stops_ends_the_call_unless_it_is_held() -> None:
    scene = Scene(ConnectModel("bot"), limits=CallLimits(media_timeout_s=10.0))
    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)
    scene.call.leg_held(True)
    scene.clock.now += 100.0
    await asyncio.sleep(0.01)
    assert not running.done()
    scene.call.leg_held(False)
    scene.clock.now += 9.0
    await asyncio.sleep(0.01)
    assert not running.done()
    scene.clock.now += 1.0
    await running
    assert scene.call.ending is cause.MEDIA_TIMEOUT


async def test_the_leg_is_hung_up_before_slow_tasks_have_stopped() -> None:
    scene = Scene(ConnectModel("bot"))
    stopped: list[bool] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            stopped.append("close" in scene.leg.did)

    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)
    assert scene.call._tasks is not None
    scene.call._tasks.start(slow)
    await asyncio.sleep(0)
    scene.call.end(cause.DRAIN_DEADLINE)
    await running
    assert stopped == [True]
    assert scene.leg.did.count("close") == 1


async def test_a_fault_on_the_line_ends_the_call() -> None:
    scene = Scene(ConnectModel("bot"))
    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)
    assert scene.leg.media.sink is not None
    await asyncio.sleep(0.01)
    scene.leg.media.sink.hear(b"not a frame", 0.0)
    await running
    assert scene.call.ending is cause.INTERNAL_ERROR


@pytest.mark.parametrize("name", ["digit_received", "leg_held", "digit_finished"])
async def test_faults_of_digits_and_hold_end_the_call(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Conversation, "digit_received", fails)
    monkeypatch.setattr(Conversation, "digit_finished", fails)
    monkeypatch.setattr(Conversation, "caller_held", fails)
    scene = Scene(ConnectModel("bot"))
    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)
    arguments = ("1", 160) if name == "digit_finished" else ("1",)
    getattr(scene.call, name)(*arguments)
    await running
    assert scene.call.ending is cause.INTERNAL_ERROR


async def test_what_the_leg_says_before_the_call_runs_is_harmless() -> None:
    scene = Scene(Answer())
    scene.call.digit_received("1")
    scene.call.digit_finished("1", 160)
    scene.call.leg_held(True)
    scene.call.leg_progressed(180)
    assert scene.call.ending is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("error", "media_failed", 500), cause.INTERNAL_ERROR),
        (("error", "", 503), cause.SIGNALLING_FAILED),
        (("local", "", 0), cause.SIGNALLING_FAILED),
    ],
)
async def test_how_a_leg_may_end(said: tuple[str, str, int], expected: Ending) -> None:
    scene = Scene(Answer())
    scene.call.leg_ended(*said)
    scene.call.leg_ended("remote", "", 0)
    assert scene.call.ending is expected


async def test_everything_is_let_go_whatever_fails_at_the_end() -> None:
    closed: list[str] = []

    class Recorder(FakeRecorder):
        async def close(self) -> None:
            closed.append("recording")

    scene = Scene(ConnectModel("bot"), open_recorder=lambda *_: Recorder())
    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)

    async def fails(code: int = 1000) -> None:
        closed.append("model")
        raise OSError("gone")

    scene.model.close = fails
    scene.call.end(cause.DRAIN_DEADLINE)
    with pytest.raises(OSError, match="gone"):
        await running
    assert closed == ["model", "recording"]
    assert scene.watcher.legs == []


async def test_audio_that_never_reached_a_model_is_counted() -> None:
    scene = Scene(ConnectModel("bot"))
    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)
    await asyncio.sleep(0.01)
    scene.model.full = True
    tick(scene.leg, 6)
    scene.call.end(cause.DRAIN_DEADLINE)
    await running
    assert scene.watcher.audio_dropped_s == 0.12


async def test_what_is_played_after_a_pre_answer_does_not_answer() -> None:
    scene = Scene(PreAnswer(), PreAnswer(), Play("apology"), Reject(480))
    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)
    assert scene.leg.did == ["prepare", "progress"]
    assert len(scene.watcher.legs) == 1
    while not running.done():
        if scene.call.ended_at is None:
            tick(scene.leg, 50)
        await asyncio.sleep(0)
    assert ("reject", 480, "", None) in scene.leg.did
    assert "answer" not in scene.leg.did
    assert scene.call.result == "rejected"
    assert scene.watcher.legs == []


async def test_a_pre_answered_call_is_answered_on_the_same_line() -> None:
    scene = Scene(PreAnswer(), ConnectModel("bot"))
    running = scene.start()
    await eventually(lambda: "answer" in scene.leg.did)
    await eventually(lambda: scene.call.line.opened.partner)
    assert scene.leg.did == ["prepare", "ring", "progress", "answer"]
    assert len(scene.watcher.legs) == 1
    scene.call.leg_ended("remote", "", 0)
    await running


async def test_a_pre_answered_caller_may_give_up() -> None:
    scene = Scene(PreAnswer(), Play("apology"), Reject(480))
    running = scene.start()
    await eventually(lambda: scene.leg.media.sink)
    scene.call.leg_ended("remote", "cancelled", 487)
    await running
    assert scene.call.ending is cause.CALLER_CANCELLED
    assert scene.leg.did[-1] == "close"


async def test_a_caller_without_an_offer_is_answered_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(PreAnswer(), Hangup())
    media, start = scene.leg.media, scene.leg.media.start

    def starts_once_answered(sink: Any) -> None:
        if "answer" not in scene.leg.did:
            raise LocalProtocolError("media was not negotiated")
        start(sink)

    monkeypatch.setattr(media, "start", starts_once_answered)
    assert await scene.run() is cause.DIALPLAN_HUNG_UP
    assert scene.leg.did[:3] == ["prepare", "progress", "answer"]
