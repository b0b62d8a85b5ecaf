from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.calls import farewell as farewell_module
from telephony.calls.farewell import Farewell, Wish
from telephony.realtime.events import ResponseFinished, ToolCallRequested

WISH = Wish("Say it.", "They interrupted.", "Under way.")
CALL = ToolCallRequested("call_1", "hangup", "{}", "item_1", "r1")


class FakeBridge:
    caller_hears = False
    spoken_response_id = ""

    def send_control(self) -> None: ...


class FakeDialect:
    active_response_id = ""

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
        self.dialect = self.bridge.dialect = FakeDialect()
        self.departed: list[bool] = []
        self.farewell = Farewell(self.bridge)

    def request(self, call: ToolCallRequested = CALL, *, interrupted: bool = False) -> None:
        self.farewell.requested(call, WISH, self.departed.append, interrupted=interrupted)

    def speak(self, response_id: str) -> None:
        self.bridge.spoken_response_id, self.bridge.caller_hears = response_id, True

    def fall_silent(self) -> None:
        self.bridge.caller_hears = False
        self.farewell.playout_drained()

    def finish(self, response_id: str) -> None:
        self.farewell.response_finished(ResponseFinished(response_id, "completed"))


async def test_a_call_that_the_model_took_back_costs_nothing() -> None:
    scene = Scene()

    def taken_back(call_id: str, output: str, *, respond: bool = True) -> None:
        raise LocalProtocolError(f"no function call {call_id!r} waits for an output")

    scene.dialect.send_tool_output = taken_back  # type: ignore[method-assign]
    scene.request(interrupted=True)
    scene.request()
    assert scene.farewell.pending


async def test_a_farewell_said_with_the_wish_is_played_to_its_end() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.request()
    scene.finish("r1")
    assert scene.farewell.pending
    assert scene.departed == []
    scene.fall_silent()
    assert scene.departed == [False]
    assert scene.dialect.outputs == []
    scene.farewell.close()


async def test_a_farewell_heard_already_ends_the_call_at_once() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.fall_silent()
    scene.request()
    assert scene.departed == [False]
    scene.farewell.close()


async def test_a_farewell_that_was_not_said_is_asked_for() -> None:
    scene = Scene()
    scene.request()
    scene.finish("r1")
    scene.farewell.playout_drained()
    assert scene.dialect.outputs == [("call_1", True)]
    assert scene.departed == []
    scene.speak("r2")
    scene.finish("r2")
    assert scene.departed == []
    scene.fall_silent()
    assert scene.departed == [True]
    scene.farewell.close()


async def test_what_was_being_said_when_the_tool_was_called_is_no_farewell() -> None:
    scene = Scene()
    scene.dialect.active_response_id = "r0"
    scene.speak("r0")
    scene.request()
    scene.fall_silent()
    scene.finish("r0")
    assert scene.departed == []
    scene.speak("r2")
    scene.finish("r2")
    scene.fall_silent()
    assert scene.departed == [True]


async def test_a_farewell_that_never_comes_ends_the_call_without_one() -> None:
    scene = Scene()
    scene.request()
    scene.finish("r1")
    scene.finish("r2")
    assert scene.departed == [True]
    scene.farewell.close()


async def test_an_interrupted_farewell_keeps_the_call() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.request()
    scene.bridge.caller_hears = False
    scene.farewell.interrupted()
    scene.farewell.playout_drained()
    assert not scene.farewell.pending
    assert scene.departed == []
    # The caller's words are answered, not the tool.
    assert scene.dialect.outputs == [("call_1", False)]


async def test_an_interrupted_farewell_that_was_asked_for_is_noted() -> None:
    scene = Scene()
    scene.request()
    scene.finish("r1")
    scene.speak("r2")
    scene.farewell.interrupted()
    assert scene.dialect.outputs == [("call_1", True)]
    assert len(scene.dialect.notes) == 1


async def test_another_answer_in_between_does_not_hide_that_the_tool_waits() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.request()
    scene.speak("r2")
    scene.farewell.interrupted()
    assert scene.dialect.outputs == [("call_1", False)]


async def test_a_wish_that_the_caller_cut_off_is_refused() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.bridge.caller_hears = False
    scene.request(interrupted=True)
    assert not scene.farewell.pending
    assert scene.departed == []
    assert scene.dialect.outputs == [("call_1", False)]


async def test_a_second_wish_is_answered_and_changes_nothing() -> None:
    scene = Scene()
    scene.speak("r1")
    scene.request()
    again = ToolCallRequested("call_2", "hangup", "{}", "item_2", "r1")
    scene.request(again)
    assert scene.dialect.outputs == [("call_2", False)]
    scene.fall_silent()
    assert scene.departed == [False]
    scene.farewell.close()


async def test_without_a_wish_nothing_happens() -> None:
    scene = Scene()
    scene.farewell.interrupted()
    scene.farewell.playout_drained()
    scene.finish("r1")
    scene.farewell.close()
    assert scene.departed == []


async def test_a_response_beside_the_conversation_is_no_farewell() -> None:
    scene = Scene()
    scene.request()
    aside = ResponseFinished("r9", "completed", out_of_band=True)
    scene.farewell.response_finished(aside)
    assert scene.departed == []
    scene.farewell.close()


async def test_a_farewell_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell_module, "FAREWELL_LIMIT_S", 0.0)
    scene = Scene()
    scene.speak("r1")
    scene.request()
    await asyncio.sleep(0.01)
    assert scene.departed == [False]
