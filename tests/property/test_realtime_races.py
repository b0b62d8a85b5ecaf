"""A server with the API's rules, a line that delays both ways, and anything in between.

The server refuses what the API refuses. Whatever the order in which things happen, nothing but
the benign races may be refused, each response begins and ends once, the model learns exactly what
the caller heard, and it responds to every tool output.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import deque
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from telephony.audio.format import L16_24K
from telephony.base.ids import Ids
from telephony.realtime.events import (
    NO_RESPONSE,
    AudioDelta,
    ModelError,
    ResponseFinished,
    ResponseStarted,
    ToolCallRequested,
)
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.session_config import SessionConfig

_BENIGN = {"response_cancel_not_active", "conversation_already_has_active_response"}


@dataclass
class Spoken:
    """An assistant item as the server has it."""

    response_id: str
    made_ms: int = 0
    end_ms: int | None = None


class Server:
    """One conversation, by the rules of the API."""

    def __init__(self) -> None:
        self.out: deque[dict[str, Any]] = deque()
        self.active = ""
        self.item = ""
        self.spoken: dict[str, Spoken] = {}
        self.outputs: dict[str, int] = {}
        self.begun_at: list[int] = []
        self.refusals: list[str] = []
        self.speaking = False
        self._clock = 0
        self._names = 0

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}_{self._names}"

    def _say(self, kind: str, **fields: Any) -> None:
        self.out.append({"type": kind, **fields})

    def _refuse(self, code: str, message: dict[str, Any]) -> None:
        self.refusals.append(code)
        self._say("error", error={"code": code, "event_id": message["event_id"]})

    def receive(self, message: dict[str, Any]) -> None:
        self._clock += 1
        kind = message["type"]
        if kind == "session.update":
            self._say("session.updated", session={"id": "s"})
        elif kind == "response.create":
            if self.active:
                self._refuse("conversation_already_has_active_response", message)
            else:
                self._begin()
        elif kind == "response.cancel":
            if message["response_id"] == self.active:
                self._end("cancelled")
            else:
                self._refuse("response_cancel_not_active", message)
        elif kind == "conversation.item.create":
            self.outputs[message["item"]["id"]] = self._clock
            self._say("conversation.item.added", item=message["item"])
        elif kind == "conversation.item.delete":
            if self.spoken.pop(message["item_id"], None) is None:
                self._refuse("item_delete_invalid", message)
        else:
            assert kind == "conversation.item.truncate"
            item = self.spoken.get(message["item_id"])
            if item is None or message["audio_end_ms"] > item.made_ms:
                self._refuse("item_truncate_invalid", message)
            else:
                item.end_ms = message["audio_end_ms"]

    def _begin(self) -> None:
        self._clock += 1
        self.active, self.item = self._name("resp"), ""
        self.begun_at.append(self._clock)
        self._say("response.created", response={"id": self.active})

    def _end(self, status: str, output: tuple[dict[str, Any], ...] = ()) -> None:
        response_id, self.active = self.active, ""
        response = {"id": response_id, "status": status, "output": list(output)}
        self._say("response.done", response=response)

    def speak(self, duration_ms: int) -> None:
        if not self.item:
            self.item = self._name("item")
            self.spoken[self.item] = Spoken(self.active)
        self.spoken[self.item].made_ms += duration_ms
        part = {"response_id": self.active, "item_id": self.item, "content_index": 0}
        audio = b64encode(b"\x01\x00" * 24 * duration_ms).decode()
        self._say("response.output_audio.delta", **part, delta=audio)

    def finish_item(self) -> None:
        part = {"response_id": self.active, "item_id": self.item}
        self._say("response.output_audio.done", **part)
        self.item = ""

    def finish(self, calls: int) -> None:
        if self.item:
            self.finish_item()
        output = []
        for _ in range(calls):
            name = self._name("call")
            item = {"type": "function_call", "id": f"i{name}", "call_id": name, "name": "f"}
            output.append({**item, "arguments": "{}", "status": "completed"})
        self._end("completed", tuple(output))

    def caller_starts(self) -> None:
        self.speaking = True
        self._say("input_audio_buffer.speech_started", item_id="u")
        if self.active:
            self._end("cancelled")

    def caller_stops(self) -> None:
        self.speaking = False
        self._say("input_audio_buffer.speech_stopped", item_id="u")
        self._say("input_audio_buffer.committed", item_id=self._name("u"))
        if not self.active:
            self._begin()


class Races(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.server = Server()
        self.model = OpenAIRealtime(SessionConfig(), Ids.seeded(7), L16_24K, L16_24K)
        self.line: deque[dict[str, Any]] = deque()
        self.started: list[str] = []
        self.finished: list[str] = []
        self.fenced: set[str] = set()
        self.playing: dict[str, tuple[str, int]] = {}
        self.heard_at_most: dict[str, int] = {}
        self.calls: list[str] = []
        self.model.connection_made(self.now)
        self.pump()
        self.settle()

    # The line

    def pump(self) -> None:
        """Take what the core gave out."""
        self.line.extend(json.loads(message) for message in self.model.messages_to_send())
        for event in self.model.events_received():
            if isinstance(event, ResponseStarted):
                self.started.append(event.response_id)
            elif isinstance(event, ResponseFinished):
                self.finished.append(event.response_id)
            elif isinstance(event, ToolCallRequested):
                self.calls.append(event.call_id)
            elif isinstance(event, AudioDelta):
                assert event.response_id not in self.fenced
                _response, received = self.playing.get(event.item_id, ("", 0))
                received += len(event.audio) // 48
                self.playing[event.item_id] = (event.response_id, received)
            elif isinstance(event, ModelError) and event.code != NO_RESPONSE:
                raise AssertionError(event)

    @precondition(lambda self: self.line)
    @rule()
    def a_message_arrives_there(self) -> None:
        self.server.receive(self.line.popleft())

    @precondition(lambda self: self.server.out)
    @rule()
    def a_message_arrives_here(self) -> None:
        self.model.receive_message(json.dumps(self.server.out.popleft()), self.now)
        self.pump()

    @rule(seconds=st.sampled_from([0.05, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.model.next_timer()) is not None and due <= end:
            self.now = max(self.now, due)
            self.model.handle_timer(self.now)
            self.pump()
        self.now = end

    # The server

    @precondition(lambda self: self.server.active)
    @rule(duration_ms=st.integers(1, 500))
    def the_model_speaks(self, duration_ms: int) -> None:
        self.server.speak(duration_ms)

    @precondition(lambda self: self.server.active and self.server.item)
    @rule()
    def an_item_ends(self) -> None:
        self.server.finish_item()

    @precondition(lambda self: self.server.active)
    @rule(calls=st.integers(0, 2))
    def a_response_ends(self, calls: int) -> None:
        self.server.finish(calls)

    @rule()
    def the_caller_starts_or_stops(self) -> None:
        if self.server.speaking:
            self.server.caller_stops()
        else:
            self.server.caller_starts()

    # We

    @rule(instructions=st.sampled_from([None, "say it"]))
    def a_response_is_asked_for(self, instructions: str | None) -> None:
        self.model.create_response(instructions)
        self.pump()

    @precondition(lambda self: self.calls)
    @rule()
    def a_tool_finishes(self) -> None:
        self.model.send_tool_output(self.calls.pop(0), "done")
        self.pump()

    @precondition(lambda self: self.playing)
    @rule(share=st.floats(0, 1), cancel=st.booleans())
    def the_caller_barges_in(self, share: float, cancel: bool) -> None:
        """Playout is flushed: the last item was heard in part, those before it whole."""
        item_id, (response_id, received) = next(reversed(self.playing.items()))
        heard = int(received * share)
        self.playing.clear()
        self.fenced.add(response_id)
        self.heard_at_most[item_id] = heard
        self.model.fence(response_id)
        if cancel or not self.server.speaking:
            self.model.cancel_response(response_id)
        if heard < received:
            self.model.truncate_item(item_id, heard)
        self.pump()

    # What must hold

    @invariant()
    def nothing_but_benign_races_is_refused(self) -> None:
        assert set(self.server.refusals) <= _BENIGN, self.server.refusals

    @invariant()
    def responses_begin_and_end_once(self) -> None:
        assert len(set(self.started)) == len(self.started)
        assert self.finished == self.started[: len(self.finished)]
        assert len(self.started) - len(self.finished) <= 1

    def settle(self) -> None:
        """Let everything arrive and every response end."""
        for _ in range(200):
            while self.line or self.server.out:
                if self.line:
                    self.a_message_arrives_there()
                if self.server.out:
                    self.a_message_arrives_here()
            if self.server.speaking:
                self.server.caller_stops()
            elif self.server.active:
                self.server.finish(0)
            elif self.calls:
                self.a_tool_finishes()
            else:
                due = self.model.next_timer()
                if due is None or due > self.now + 60:
                    return
                self.time_passes(max(0.0, due - self.now) + 0.01)
        raise AssertionError("it never comes to rest")

    def teardown(self) -> None:
        self.settle()
        self.nothing_but_benign_races_is_refused()
        assert self.finished == self.started
        last = max(self.server.begun_at, default=0)
        assert all(added < last for added in self.server.outputs.values())
        for item_id, heard in self.heard_at_most.items():
            item = self.server.spoken.get(item_id)
            if item is not None:
                believed = item.made_ms if item.end_ms is None else item.end_ms
                assert believed <= max(heard, 0), (item_id, heard, item)
        known = {i.item_id for i in self.model.history if i.role == "assistant"}
        assert known == set(self.server.spoken)


Races.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRaces = Races.TestCase
