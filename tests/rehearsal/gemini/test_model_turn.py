"""One turn of the model, in time."""

from __future__ import annotations

from typing import Any

from telephony.base.ids import Ids
from telephony.rehearsal.faults import TurnFaults
from telephony.rehearsal.gemini.model_turn import ModelTurn, Stage
from telephony.rehearsal.gemini.said import Conversation
from telephony.rehearsal.scenario import Pace, ToolCall
from telephony.rehearsal.script import Cue
from tests.rehearsal.driver import VOICE
from tests.rehearsal.gemini.driver import PROMPTS

PACE = Pace(delta_ms=100, speed=10.0, first_delta_ms=50)
HOURS = PROMPTS["opening_hours"]


class Theatre:
    def __init__(self, blocking: dict[str, bool] | None = None, **fields: bool) -> None:
        self.said: list[dict[str, Any]] = []
        self.conversation = Conversation()
        options = {"transcribes": True, "reports_status": False} | fields
        stage = Stage(
            self.said.append,
            self.conversation,
            VOICE,
            PACE,
            Ids.seeded(1),
            blocking or {},
            **options,
        )
        self.turn = ModelTurn(stage, (3, 4))

    def until(self, now: float) -> list[dict[str, Any]]:
        start = len(self.said)
        self.turn.advance(now)
        return self.said[start:]

    def contents(self) -> list[dict[str, Any]]:
        return [m["serverContent"] for m in self.said if "serverContent" in m]


def test_speech_is_faster_than_real_time_and_its_end_is_not() -> None:
    theatre = Theatre()
    theatre.turn.perform(Cue(("opening_hours",)), None, 0.0)
    assert theatre.until(0.04) == []
    (first,) = theatre.until(0.05)
    assert len(first["serverContent"]["modelTurn"]["parts"]) == 2
    assert first["serverContent"]["outputTranscription"]["text"] == "We"
    length_s = HOURS.duration_ms / 1000
    theatre.until(0.05 + length_s / 10)
    assert theatre.contents()[-1] == {"generationComplete": True}
    words = [
        c["outputTranscription"]["text"]
        for c in theatre.contents()
        if "modelTurn" in c and "outputTranscription" in c
    ]
    assert "".join(words) == HOURS.text
    theatre.until(0.04 + length_s)
    assert not theatre.turn.over
    (end,) = theatre.until(0.06 + length_s)
    assert end["serverContent"] == {"turnComplete": True}
    usage = end["usageMetadata"]
    assert (usage["promptTokenCount"], usage["responseTokenCount"]) == (7, round(length_s * 25))
    assert theatre.turn.over
    assert theatre.turn.due_at is None


def test_an_interruption_keeps_what_was_heard() -> None:
    theatre = Theatre()
    cue = Cue(("opening_hours",), faults=TurnFaults(late_deltas=2))
    theatre.turn.perform(cue, None, 0.0)
    theatre.until(0.3)
    before = len(theatre.said)
    theatre.turn.interrupt([], 1.05)
    late, later, interrupted, end = theatre.said[before:]
    assert "modelTurn" in late["serverContent"]
    assert "modelTurn" in later["serverContent"]
    assert interrupted == {"serverContent": {"interrupted": True}}
    assert end["serverContent"] == {"turnComplete": True}
    (entry,) = theatre.conversation
    assert entry.cut
    # It began 50 ms after it was asked for, and played for a second.
    assert entry.audio_ms == 1000.0
    assert entry.text == "We are open from"


def test_an_interruption_after_all_was_heard() -> None:
    theatre = Theatre()
    theatre.turn.perform(Cue(("you_said",)), None, 0.0)
    theatre.until(0.5)
    theatre.turn.interrupt([], 9.0)
    assert not theatre.conversation[0].cut
    assert theatre.conversation[0].text == PROMPTS["you_said"].text


def test_a_turn_waits_for_its_tools_and_goes_on() -> None:
    theatre = Theatre({"book": True, "look": False})
    calls = (ToolCall(name="book"), ToolCall(name="look"), ToolCall(name="unknown"))
    theatre.turn.perform(Cue((), calls), None, 0.0)
    (message,) = theatre.until(5.0)
    names = [call["name"] for call in message["toolCall"]["functionCalls"]]
    assert names == ["book", "look"]
    assert list(theatre.turn.waiting.values()) == ["book"]
    assert list(theatre.turn.made.values()) == ["look"]
    assert theatre.turn.due_at is None
    theatre.turn.waiting.clear()
    theatre.turn.perform(Cue(("you_said",)), None, 5.0)
    theatre.until(9.0)
    assert theatre.turn.over


def test_the_status_and_the_words_are_told_when_asked_for() -> None:
    theatre = Theatre(transcribes=False, reports_status=True)
    theatre.turn.perform(Cue(("you_said",)), None, 0.0)
    theatre.until(9.0)
    assert not any("outputTranscription" in content for content in theatre.contents())
    assert theatre.contents()[-1]["interactionStatus"] == "IDLE"
