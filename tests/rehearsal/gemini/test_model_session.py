"""The rehearsal session of Gemini Live, without a socket or a clock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from telephony.base.ids import Ids
from telephony.rehearsal.gemini.grants import Handles
from telephony.rehearsal.gemini.model_session import GeminiSession, Place
from tests.rehearsal.driver import VOICE
from tests.rehearsal.gemini.driver import PROMPTS, played

MODEL = "models/gemini-3.8-live"
OLDER = "models/gemini-3.1-flash-live-preview"
TURNS = """\
  - {when: greeting, say: you_said, call: {name: book}}
  - {when: {tool: book}, say: tool_done}
  - {when: any, say: short_answer}
"""
BOOK = [{"functionDeclarations": [{"name": "book"}]}]


class Client:
    def __init__(self, turns: str = TURNS, **setup: Any) -> None:
        self.now = 0.0
        self.ids = Ids.seeded(1)
        self.handles = Handles(self.ids)
        self.session = GeminiSession(
            played(turns), VOICE, self.ids, self.handles, Place(), self.now
        )
        self.said: list[dict[str, Any]] = []
        if setup is not None:
            self.send(setup={"model": MODEL} | setup)

    def send(self, **message: Any) -> list[dict[str, Any]]:
        start = len(self.said)
        self.session.receive_message(json.dumps(message), self.now)
        self._take()
        return self.said[start:]

    def _take(self) -> None:
        self.said += [json.loads(text) for text in self.session.messages_to_send()]

    def run(self, seconds: float) -> list[dict[str, Any]]:
        start = len(self.said)
        end = self.now + seconds
        while (due := self.session.next_timer()) is not None and due <= end:
            self.now = max(due, self.now)
            self.session.handle_timer(self.now)
            self._take()
        self.now = end
        return self.said[start:]

    @property
    def close_code(self) -> int | None:
        ending = self.session.ending
        return ending.close_code if ending is not None else None

    def call_id(self) -> str:
        (call,) = [m["toolCall"] for m in self.said if "toolCall" in m]
        return call["functionCalls"][0]["id"]

    def texts(self) -> list[str]:
        return [entry.text for entry in self.session.conversation]


def text(words: str, role: str | None = "user") -> dict[str, Any]:
    turn: dict[str, Any] = {"parts": [{"text": words}]}
    return turn | ({"role": role} if role else {})


def test_the_setup_comes_first_and_once() -> None:
    client = Client()
    assert client.said == [{"setupComplete": {"sessionId": client.session.id}}]
    client.send(setup={"model": MODEL})
    assert client.close_code == 1007
    assert client.send(realtimeInput={"text": "x"}) == []
    early = GeminiSession(played(TURNS), VOICE, client.ids, client.handles, Place(), 0.0)
    early.receive_message('{"realtimeInput":{"text":"x"}}', 0.0)
    assert early.ending is not None


def test_content_that_is_not_complete_interrupts_older_models_only() -> None:
    for model, interrupted in ((MODEL, 0), (OLDER, 1)):
        client = Client(model=model)
        client.send(realtimeInput={"text": "Greet."})
        client.run(0.1)
        client.send(clientContent={"turns": [text("It is late.")]})
        assert client.session.stats.interruptions == interrupted


def test_content_needs_a_role() -> None:
    client = Client()
    client.send(clientContent={"turns": [text("x", None)]})
    assert client.close_code == 1007


def test_an_output_for_no_call() -> None:
    client = Client(tools=BOOK)
    client.send(toolResponse={"functionResponses": [{"id": "unknown"}]})
    assert client.close_code == 1007


@pytest.mark.parametrize("scheduling", ["WHEN_IDLE", "INTERRUPT", "SILENT"])
def test_when_an_output_is_spoken_about(scheduling: str) -> None:
    client = Client(tools=BOOK)
    client.send(realtimeInput={"text": "Greet."})
    client.run(0.3)
    response = {"id": client.call_id(), "response": {"output": "ok"}, "scheduling": scheduling}
    client.send(toolResponse={"functionResponses": [response]})
    assert client.session.stats.interruptions == (scheduling == "INTERRUPT")
    client.run(9.0)
    spoken = PROMPTS["tool_done"].text in client.texts()
    assert spoken == (scheduling != "SILENT")


def test_an_output_for_a_call_that_was_cancelled_is_counted() -> None:
    client = Client(tools=BOOK)
    client.send(realtimeInput={"text": "Greet."})
    client.run(0.3)
    said = client.send(clientContent={"turns": [text("Stop.")], "turnComplete": True})
    assert {"toolCallCancellation": {"ids": [client.call_id()]}} in said
    client.send(toolResponse={"functionResponses": [{"id": client.call_id()}]})
    assert client.session.stats.late_outputs == 1
    assert client.close_code is None


def test_handles_are_given_when_nothing_is_under_way() -> None:
    client = Client(sessionResumption={}, tools=BOOK)
    updates = [m["sessionResumptionUpdate"] for m in client.said if "sessionResumptionUpdate" in m]
    assert updates[0]["resumable"]
    said = client.send(realtimeInput={"text": "Greet."})
    assert {"sessionResumptionUpdate": {"resumable": False}} in said
    said = client.run(9.0)
    # The tool still runs.
    assert said[-1] == {"sessionResumptionUpdate": {"resumable": False}}
    silent = {"id": client.call_id(), "response": {}, "scheduling": "SILENT"}
    (update,) = client.send(toolResponse={"functionResponses": [silent]})
    handle = update["sessionResumptionUpdate"]["newHandle"]
    kept = client.handles.resume(handle, client.now)
    assert [entry.kind for entry in kept] == ["prompt", "speech", "call", "result"]


def test_instructions_and_tools_change_in_mid_session() -> None:
    client = Client()
    client.send(contextUpdate={"systemInstruction": text("Be rude."), "tools": {"tools": BOOK}})
    setup = client.session.setup
    assert setup is not None
    assert setup.system_instruction is not None
    assert setup.system_instruction.text == "Be rude."
    client.send(realtimeInput={"text": "Greet."})
    client.run(1.0)
    assert client.call_id()
    older = Client(model=OLDER)
    older.send(contextUpdate={})
    assert older.close_code == 1007


def test_nothing_is_kept_of_the_sound() -> None:
    client = Client()
    client.session.connection_lost()
    assert client.session.next_timer() is None
    assert client.session.hearing.echo("x") is None
