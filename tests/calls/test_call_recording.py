from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from telephony.audio.format import PCMU
from telephony.calls.call_recording import CallRecording, RecordingRules, recorded
from telephony.calls.line import Line
from telephony.dialplan.actions import (
    Action,
    Answer,
    ConnectModel,
    Hangup,
    Play,
    PreAnswer,
    Record,
    Reject,
    Transfer,
)
from tests.support.fake_call import services
from tests.support.fake_recorder import FakeRecorder

FRAME = b"\x01" * 160


class Scene:
    def __init__(self) -> None:
        self.recorder = FakeRecorder()
        self.asked: list[tuple[Any, ...]] = []
        self.line = Line(PCMU, 20, on_error=[].append)
        self.recording = CallRecording("call-1", services(open_recorder=self._open))

    def _open(self, *asked: Any) -> FakeRecorder:
        self.asked.append(asked)
        return self.recorder

    def tick(self) -> int:
        """Pass one ptime; returns how many frames the recorder has."""
        self.line.hear(FRAME, 0.0)
        self.line.speak(0.0)
        return len(self.recorder.pushed)


async def test_a_recording_begins_when_it_is_wanted_and_there_is_a_line() -> None:
    scene = Scene()
    scene.recording.begin("flac")
    assert scene.asked == []
    scene.recording.opened(scene.line)
    assert scene.asked == [("call-1", PCMU, 20, "flac")]
    assert scene.recording.path == scene.recorder.path
    assert (scene.tick(), scene.recording.state) == (1, "on")


async def test_a_line_is_not_recorded_before_that_is_wanted() -> None:
    scene = Scene()
    scene.recording.opened(scene.line)
    assert (scene.tick(), scene.recording.path) == (0, None)
    scene.recording.begin()
    scene.recording.begin("opus")
    assert scene.tick() == 1
    assert len(scene.asked) == 1


async def test_nothing_of_the_caller_is_kept_before_the_announcement_ended() -> None:
    scene = Scene()
    scene.recording.opened(scene.line)
    scene.recording.begin(announcing=True)
    assert scene.recorder.kept == ["bot"]
    scene.recording.pause()
    scene.recording.resume()
    assert scene.recorder.kept == ["bot", "neither", "bot"]
    scene.recording.announced()
    assert scene.recorder.kept[-1] == "both"


async def test_a_pause_holds_over_the_announcement_and_the_start() -> None:
    scene = Scene()
    scene.recording.pause()
    scene.recording.begin()
    assert scene.recording.state == "paused"
    scene.recording.opened(scene.line)
    assert scene.recorder.kept == ["neither"]
    scene.recording.announced()
    assert scene.recorder.kept[-1] == "neither"
    scene.recording.resume()
    assert (scene.recorder.kept[-1], scene.recording.state) == ("both", "on")


async def test_the_end_is_for_good() -> None:
    scene = Scene()
    scene.recording.opened(scene.line)
    scene.recording.begin()
    scene.recorder.paused_ms = 40
    await scene.recording.close()
    await scene.recording.close()
    assert scene.recorder.closed == 1
    assert scene.recording.paused_ms == 40
    scene.recording.begin()
    scene.recording.pause()
    assert (scene.tick(), scene.recording.state) == (0, "off")
    assert len(scene.asked) == 1
    assert scene.recording.path == scene.recorder.path


async def test_a_call_stopped_before_its_line_opens_is_not_recorded() -> None:
    scene = Scene()
    await scene.recording.close()
    scene.recording.begin()
    scene.recording.opened(scene.line)
    assert (scene.tick(), scene.asked, scene.recording.path) == (0, [], None)


async def test_without_a_recorder_nothing_is_recorded() -> None:
    recording = CallRecording("call-1", services())
    recording.begin()
    recording.opened(Line(PCMU, 20, on_error=[].append))
    assert (recording.state, recording.path) == ("off", None)
    recording.pause()
    await recording.close()


ANNOUNCED = RecordingRules("all", "a.wav")
TALK = ConnectModel("bot")
PLAY = Play("b.wav")
AWAY = Transfer("+15550100")


@pytest.mark.parametrize(
    ("rules", "actions", "place"),
    [
        (RecordingRules(), [Answer(), TALK], 0),
        (RecordingRules(), [Reject(603)], 0),
        (RecordingRules("dialplan"), [Answer(), TALK], None),
        (RecordingRules("dialplan", "a.wav"), [Answer(), TALK], None),
        (RecordingRules(), [Record("stop"), Answer(), TALK], None),
        (ANNOUNCED, [Record("stop"), Answer(), TALK], None),
        (RecordingRules(), [Answer(), Record("stop"), TALK], 0),
        (RecordingRules(), [Answer(), Record("pause"), TALK], 0),
        (ANNOUNCED, [Answer(), Record("pause"), TALK], 1),
        (RecordingRules("dialplan"), [Answer(), Record("pause"), TALK], None),
        (RecordingRules(), [Record(), TALK], None),
        (ANNOUNCED, [Answer(), TALK], 1),
        (ANNOUNCED, [TALK], 0),
        (ANNOUNCED, [PLAY, Answer(), TALK], 0),
        (ANNOUNCED, [AWAY, Hangup()], 0),
        (ANNOUNCED, [PreAnswer(), PLAY, Answer(), TALK], 3),
        (ANNOUNCED, [PreAnswer(), PLAY, TALK], 2),
        (ANNOUNCED, [PreAnswer(), PLAY, Reject(486)], None),
        (ANNOUNCED, [Reject(603)], None),
    ],
)
def test_where_the_rules_put_a_recording(
    rules: RecordingRules, actions: Sequence[Action], place: int | None
) -> None:
    expected = list(actions)
    if place is not None:
        expected.insert(place, Record())
    assert recorded(actions, rules) == tuple(expected)
