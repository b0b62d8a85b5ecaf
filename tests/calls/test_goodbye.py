from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telephony.calls import goodbye as goodbye_module
from telephony.calls.goodbye import Goodbye
from telephony.realtime.events import ResponseFinished, ToolCallRequested

CALL = ToolCallRequested("call_1", "hangup", "{}", "item_1", "r1")


class FakeBridge:
    caller_hears = False
    spoken_response_id = ""

    def send_control(self) -> None: ...


class FakeDialect:
    def __init__(self) -> None:
        self.outputs: list[tuple[str, bool]] = []
        self.notes: list[str] = []

    def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None:
        assert call_id not in [given for given, _ in self.outputs]
        self.outputs.append((call_id, respond))

    def add_system_text(self, text: str) -> None:
        self.notes.append(text)


class Scene:
    def __init__(self) -> None:
        self.bridge: Any = FakeBridge()
        self.dialect: Any = FakeDialect()
        self.hung_up = 0
        self.goodbye = Goodbye(self.bridge, self.dialect, self._hang_up)

    def _hang_up(self) -> None:
        self.hung_up += 1

    def speak(self, response_id: str) -> None:
        self.bridge.spoken_response_id, self.bridge.caller_hears = response_id, True

    def fall_silent(self) -> None:
        self.bridge.caller_hears = False
        self.goodbye.playout_drained()

    def finish(self, response_id: str) -> None:
        self.goodbye.response_finished(ResponseFinished(response_id, "completed"))


async def test_a_goodbye_said_with_the_wish_is_played_to_its_end() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.goodbye.requested(CALL, interrupted=False)
    scene.finish("r1")
    assert scene.goodbye.pending
    assert scene.hung_up == 0
    scene.fall_silent()
    assert scene.hung_up == 1
    assert scene.dialect.outputs == []
    scene.goodbye.close()


async def test_a_goodbye_heard_already_ends_the_call_at_once() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.fall_silent()
    scene.goodbye.requested(CALL, interrupted=False)
    assert scene.hung_up == 1
    scene.goodbye.close()


async def test_a_goodbye_that_was_not_said_is_asked_for() -> None:
    scene = Scene()
    scene.goodbye.requested(CALL, interrupted=False)
    scene.finish("r1")
    scene.goodbye.playout_drained()
    assert scene.dialect.outputs == [("call_1", True)]
    assert scene.hung_up == 0
    scene.speak("r2")
    scene.finish("r2")
    assert scene.hung_up == 0
    scene.fall_silent()
    assert scene.hung_up == 1
    scene.goodbye.close()


async def test_a_goodbye_that_never_comes_ends_the_call_without_one() -> None:
    scene = Scene()
    scene.goodbye.requested(CALL, interrupted=False)
    scene.finish("r1")
    scene.finish("r2")
    assert scene.hung_up == 1
    scene.goodbye.close()


async def test_an_interrupted_goodbye_keeps_the_call() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.goodbye.requested(CALL, interrupted=False)
    scene.bridge.caller_hears = False
    scene.goodbye.interrupted()
    scene.goodbye.playout_drained()
    assert not scene.goodbye.pending
    assert scene.hung_up == 0
    # The caller's words are answered, not the tool.
    assert scene.dialect.outputs == [("call_1", False)]


async def test_an_interrupted_goodbye_that_was_asked_for_is_noted() -> None:
    scene = Scene()
    scene.goodbye.requested(CALL, interrupted=False)
    scene.finish("r1")
    scene.speak("r2")
    scene.goodbye.interrupted()
    assert scene.dialect.outputs == [("call_1", True)]
    assert len(scene.dialect.notes) == 1


async def test_another_answer_in_between_does_not_hide_that_the_tool_waits() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.goodbye.requested(CALL, interrupted=False)
    scene.speak("r2")
    scene.goodbye.interrupted()
    assert scene.dialect.outputs == [("call_1", False)]


async def test_a_wish_that_the_caller_cut_off_is_refused() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.bridge.caller_hears = False
    scene.goodbye.requested(CALL, interrupted=True)
    assert not scene.goodbye.pending
    assert scene.hung_up == 0
    assert scene.dialect.outputs == [("call_1", False)]


async def test_a_second_wish_is_answered_and_changes_nothing() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.goodbye.requested(CALL, interrupted=False)
    again = ToolCallRequested("call_2", "hangup", "{}", "item_2", "r1")
    scene.goodbye.requested(again, interrupted=False)
    assert scene.dialect.outputs == [("call_2", False)]
    scene.fall_silent()
    assert scene.hung_up == 1
    scene.goodbye.close()


async def test_without_a_wish_nothing_happens() -> None:
    scene = Scene()
    scene.goodbye.interrupted()
    scene.goodbye.playout_drained()
    scene.finish("r1")
    scene.goodbye.close()
    assert scene.hung_up == 0


async def test_a_response_beside_the_conversation_is_no_goodbye() -> None:
    scene = Scene()
    scene.goodbye.requested(CALL, interrupted=False)
    aside = ResponseFinished("r9", "completed", out_of_band=True)
    scene.goodbye.response_finished(aside)
    assert scene.hung_up == 0
    scene.goodbye.close()


async def test_a_goodbye_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goodbye_module, "GOODBYE_LIMIT_S", 0.0)
    scene = Scene()
    scene.speak("r1")
    scene.goodbye.requested(CALL, interrupted=False)
    await asyncio.sleep(0.01)
    assert scene.hung_up == 1
