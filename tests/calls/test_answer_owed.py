from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from telephony.audio.format import PCMU
from telephony.calls.answer_owed import AnswerOwed
from telephony.calls.prompt_audio import PromptAudio
from telephony.realtime.events import ResponseFinished
from telephony.realtime.traits import Traits


class Bridge:
    def __init__(self) -> None:
        self.caller_waits = self.turn_follows = False
        self.dialect = SimpleNamespace(traits=Traits())
        self.filled: list[bytes] = []

    def fill(self, audio: bytes) -> None:
        self.filled.append(audio)


def made() -> tuple[AnswerOwed, Bridge]:
    bridge: Any = Bridge()
    owed = AnswerOwed(bridge, PromptAudio(), PCMU, structlog.get_logger())
    owed.filler = b"hm"
    return owed, bridge


FAILED = ResponseFinished("r1", "failed")


def test_a_response_that_failed_is_owed_once() -> None:
    owed, bridge = made()
    owed.response_finished(FAILED, interrupted=False)
    owed.fill()
    assert bridge.filled == [b"hm"]
    assert owed.due()
    assert not owed.due()


@pytest.mark.parametrize(
    ("event", "interrupted"),
    [
        (FAILED, True),
        (ResponseFinished("r1", "completed"), False),
        (ResponseFinished("r1", "failed", out_of_band=True), False),
    ],
)
def test_what_is_not_owed(event: ResponseFinished, interrupted: bool) -> None:
    owed, bridge = made()
    owed.response_finished(event, interrupted=interrupted)
    owed.fill()
    assert bridge.filled == []
    assert not owed.due()


def test_a_caller_who_speaks_on_is_answered_anyway_by_a_model_that_answers_by_itself() -> None:
    owed, bridge = made()
    bridge.caller_waits = bridge.turn_follows = True
    assert not owed.due()
    bridge.dialect.traits = Traits(responds_by_itself=False)
    assert owed.due()


async def test_a_sound_that_cannot_be_played_is_silence() -> None:
    owed, _ = made()
    assert await owed.load(None) == b""
    assert await owed.load("tone:nonsense") == b""
    assert await owed.load("/nowhere/at/all.wav") == b""
    assert len(await owed.load("tone:busy")) > 160


def test_a_session_that_goes_on_is_asked_once_more_for_each_answer() -> None:
    owed, _ = made()
    assert not owed.due_again()
    owed.response_finished(FAILED, interrupted=False)
    assert owed.due_again()
    owed.response_finished(FAILED, interrupted=False)
    assert not owed.due_again()
    # It is owed all the same: another session may be asked for it.
    assert owed.due()
    owed.response_finished(ResponseFinished("r3", "completed"), interrupted=False)
    owed.response_finished(FAILED, interrupted=False)
    assert owed.due_again()
