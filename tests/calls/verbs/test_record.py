from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from telephony.audio.wav import write_wav
from telephony.calls import call as call_module
from telephony.calls import cause
from telephony.calls.call import Call
from telephony.calls.call_recording import RecordingRules
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.verbs import VERBS
from telephony.dialplan.actions import Action, Answer, ConnectModel, PreAnswer, Record
from telephony.dialplan.matcher import Route
from tests.support.eventually import eventually
from tests.support.fake_call import FakeLeg, services
from tests.support.fake_recorder import FakeRecorder

CALLER = b"\x01" * 160
ANNOUNCEMENT = write_wav(bytes(2 * 8000 // 10), 8000)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "HEARD_TAIL_S", 0.0)


class Recorded:
    """A call that runs its actions, on a line that the test ticks."""

    def __init__(self, *actions: Action, **made: Any) -> None:
        self.recorder = FakeRecorder()
        self.leg = FakeLeg()
        made.setdefault("prompts", PromptAudio(lambda path: ANNOUNCEMENT))
        made["open_recorder"] = lambda *_: self.recorder
        self.call = Call("call-1", self.leg, services(**made))
        self.call.route = Route("main", "rule", actions, "test.yaml", 1)
        self.leg.listen(self.call)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        running = asyncio.ensure_future(self.call.run(VERBS))
        yield
        self.call.leg_ended("remote", "", 0)
        await running
        assert self.call.ending is cause.CALLER_HUNG_UP

    def tick(self) -> None:
        sink = self.leg.media.sink
        assert sink is not None
        sink.hear(CALLER, 0.0)
        sink.speak(0.0)

    def heard_out(self) -> object:
        """Let another ptime go by; true once the model has the line."""
        self.tick()
        return self.call.line.line and self.call.line.line.partner

    async def talking(self) -> None:
        await eventually(lambda: self.call.line.line and self.call.line.line.partner)


async def test_record_announces_first_and_then_keeps_the_caller() -> None:
    scene = Recorded(Answer(), Record(announcement="a.wav"), ConnectModel("bot"))
    async with scene.running():
        await eventually(lambda: scene.recorder.kept)
        assert scene.recorder.kept == ["bot"]
        # The announcement is read in a thread, so that the first ticks may come before it.
        await eventually(scene.heard_out)
        assert scene.recorder.kept == ["bot", "both"]


async def test_the_settings_announcement_is_the_one_not_named() -> None:
    rules = RecordingRules("dialplan", "settings.wav")
    read: list[Path] = []

    def read_file(path: Path) -> bytes:
        read.append(path)
        return ANNOUNCEMENT

    scene = Recorded(
        Answer(), Record(), ConnectModel("bot"), recording=rules, prompts=PromptAudio(read_file)
    )
    async with scene.running():
        await eventually(lambda: scene.recorder.kept)
        assert read == [Path("settings.wav")]


async def test_an_announcement_that_cannot_be_played_records_nothing() -> None:
    def read_file(path: Path) -> bytes:
        raise FileNotFoundError(path)

    scene = Recorded(
        Answer(),
        Record(announcement="a.wav"),
        ConnectModel("bot"),
        prompts=PromptAudio(read_file),
    )
    async with scene.running():
        await scene.talking()
        assert scene.recorder.closed == 1
        scene.tick()
        assert scene.recorder.pushed == []
        assert scene.call.line.recording.state == "off"


async def test_pause_resume_and_stop() -> None:
    scene = Recorded(
        Record(), Answer(), Record("pause"), Record("resume"), Record("stop"), ConnectModel("bot")
    )
    async with scene.running():
        await scene.talking()
        assert scene.recorder.kept == ["both", "neither", "both"]
        assert scene.recorder.closed == 1


async def test_without_an_announcement_it_answers_nothing() -> None:
    scene = Recorded(Record(), PreAnswer(), ConnectModel("bot"))
    async with scene.running():
        await scene.talking()
        assert [step for step in scene.leg.did if step in ("progress", "answer")] == [
            "progress",
            "answer",
        ]
        scene.tick()
        assert len(scene.recorder.pushed) == 1


async def test_the_rules_of_the_settings_record_every_call() -> None:
    scene = Recorded(Answer(), ConnectModel("bot"))
    async with scene.running():
        await scene.talking()
        scene.tick()
        assert len(scene.recorder.pushed) == 1


async def test_nobody_is_told_of_a_recording_that_there_is_not() -> None:
    rules = RecordingRules("all", "a.wav")
    scene = Recorded(PreAnswer(), Record("stop"), Answer(), ConnectModel("bot"), recording=rules)
    async with scene.running():
        # Without a tick nothing could be played to its end.
        await scene.talking()
        assert scene.recorder.kept == []
