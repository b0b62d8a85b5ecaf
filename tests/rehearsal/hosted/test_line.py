from __future__ import annotations

import json
from typing import Any

import pytest

from telephony.audio.format import PCMU
from telephony.audio.g711 import l16_to_pcmu
from telephony.base.ids import Ids
from telephony.rehearsal.hosted.line import HostedLine
from telephony.rehearsal.model_session import ModelSession
from telephony.rehearsal.outbox import ClientError
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.utterance import Voice
from tests.support.scenes import script

SESSION = {"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Be kind."}
SCENARIO = script("  - {when: greeting, say: short_answer}\n")


class Scene:
    """A line whose time goes on only when a test says so."""

    def __init__(self, session: dict[str, Any] | None = None, speed: float = 1.0) -> None:
        self.now = 100.0
        model = ModelSession(
            SCENARIO, Voice(shipped_prompts()), Ids.seeded(1), "gpt-realtime-2.1", 0, self.now
        )
        self.line = HostedLine(model, SESSION if session is None else session, self.now, speed)

    def send(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        self.line.receive(json.dumps({"type": kind, **fields}), self.now)
        return self.said()

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(message) for message in self.line.messages_to_send()]

    def go_on(self, seconds: float) -> list[dict[str, Any]]:
        """Let time pass, timer by timer."""
        said, end = [], self.now + seconds
        while (due := self.line.next_timer()) is not None and due <= end:
            self.now = max(self.now, due)
            self.line.handle_timer(self.now)
            said += self.said()
        self.now = end
        return said


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def test_a_sideband_is_told_the_session_as_it_was_accepted() -> None:
    attached = json.loads(Scene().line.attached())
    assert attached["type"] == "session.created"
    session = attached["session"]
    assert session["instructions"] == "Be kind."
    assert session["audio"]["input"]["format"] == {"type": "audio/pcmu"}


@pytest.mark.parametrize(
    "session", [{}, {"type": "realtime", "nope": 1}, {"type": "live"}, SESSION | {"model": "other"}]
)
def test_a_session_that_is_no_good(session: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        Scene(session)


def test_what_the_model_says_is_played_as_long_as_it_lasts() -> None:
    scene = Scene()
    scene.send("response.create")
    early = kinds(scene.go_on(0.6))
    assert "output_audio_buffer.started" in early
    assert "response.output_audio.delta" not in early
    assert "response.done" in early
    assert scene.line.playing_all
    length_s = shipped_prompts()["short_answer"].duration_ms / 1000
    assert "output_audio_buffer.stopped" in kinds(scene.go_on(length_s))
    assert scene.line.played_ms == pytest.approx(length_s * 1000, abs=1)
    assert scene.line.next_timer() is None or not scene.line.playing


def test_a_caller_who_listens_faster_is_done_sooner() -> None:
    scene = Scene(speed=10.0)
    scene.send("response.create")
    assert "output_audio_buffer.stopped" in kinds(scene.go_on(0.8))


def test_a_clear_cuts_it_off_where_the_caller_is() -> None:
    scene = Scene()
    scene.send("response.create")
    scene.go_on(0.5)
    events = scene.send("output_audio_buffer.clear")
    assert kinds(events)[0] == "conversation.item.truncated"
    assert "output_audio_buffer.cleared" in kinds(events)
    heard_ms = next(e for e in events if e["type"].endswith("truncated"))["audio_end_ms"]
    assert 300 <= heard_ms <= 500
    assert not scene.line.playing
    # Of nothing, nothing can be cut off.
    assert scene.send("output_audio_buffer.clear") == []


def test_audio_is_not_for_sidebands() -> None:
    scene = Scene()
    for kind in ("append", "commit", "clear"):
        (error,) = scene.send(f"input_audio_buffer.{kind}")
        assert error["error"]["code"] == "invalid_event"


def test_a_key_has_no_id() -> None:
    scene = Scene()
    scene.line.press("5", 1234)
    assert scene.said() == [
        {
            "type": "input_audio_buffer.dtmf_event_received",
            "event": "5",
            "received_at": 1234,
        }
    ]


def test_a_caller_who_speaks_is_heard_and_interrupts() -> None:
    scene = Scene()
    scene.send("response.create")
    scene.go_on(0.5)
    pcm16 = shipped_prompts()["caller_yes"].pcm16
    scene.line.hear(l16_to_pcmu(pcm16) + PCMU.silence(8000), scene.now)
    events = kinds(scene.said())
    started = events.index("input_audio_buffer.speech_started")
    assert "output_audio_buffer.cleared" in events[started:]
    assert "input_audio_buffer.committed" in events


def test_the_model_calls_a_tool_when_a_test_wants_it() -> None:
    s = Scene(SESSION | {"tools": [{"type": "function", "name": "look"}]})
    s.line.call_tool("look", {"at": "x"}, s.now)
    done = [event for event in s.said() + s.go_on(1.0) if event["type"] == "response.done"]
    (call,) = done[0]["response"]["output"]
    assert (call["name"], json.loads(call["arguments"])) == ("look", {"at": "x"})
    s.line.call_tool("look", {}, s.now)
    with pytest.raises(ClientError, match="active response"):
        s.line.call_tool("look", {}, s.now)
