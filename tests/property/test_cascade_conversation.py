"""Laws of a cascade's conversation, whatever the order of what happens."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from telephony.audio.format import PCMU
from telephony.realtime.cascade import messages as say
from telephony.realtime.events import (
    AudioDelta,
    ItemDeleted,
    ItemTruncated,
    ResponseFinished,
    ResponseStarted,
    ToolCallRequested,
)
from tests.realtime.cascade.driver import Driver

SENTENCES = ("We are open. ", "Come until six. ", "Well, on Sunday, no. ", "Bye. ")


class Conversation(RuleBasedStateMachine):
    """The shell plays its part, honestly but in any order; the caller and the bridge do too."""

    SPEAKS_EARLY = False

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver(
            fillers=["One moment.", "Still there."],
            end_of_turn={"speculative_speech": self.SPEAKS_EARLY},
        )
        self.calls = 0
        self.unanswered: list[str] = []
        self.ended: set[str] = set()
        self.closed: set[str] = set()

    # What runs now

    def streaming(self) -> str | None:
        self.closed |= {c.generation_id for c in self.driver.all(say.CancelGeneration)}
        for generation in reversed(self.driver.all(say.Generate)):
            if generation.generation_id not in self.closed | self.ended:
                return generation.generation_id
        return None

    def speaking(self) -> str | None:
        over = {c.utterance_id for c in self.driver.all(say.CancelSpeech)} | self.ended
        for speak in self.driver.all(say.Speak):
            if speak.utterance_id not in over:
                return speak.utterance_id
        return None

    # The model

    @rule(sentence=st.sampled_from(SENTENCES))
    def write(self, sentence: str) -> None:
        generation_id = self.streaming()
        if generation_id is not None:
            delta = {"type": "text_delta", "text": sentence}
            self.driver.delta({"type": "content_block_delta", "delta": delta}, generation_id)

    @rule()
    def call_tool(self) -> None:
        generation_id = self.streaming()
        if generation_id is None:
            return
        self.calls += 1
        block = {"type": "tool_use", "id": f"t{self.calls}", "name": "look_up"}
        for event in (
            {"type": "content_block_start", "index": 9, "content_block": block},
            {"type": "content_block_stop", "index": 9},
        ):
            self.driver.delta(event, generation_id)

    @rule()
    def end_stream(self) -> None:
        generation_id = self.streaming()
        if generation_id is not None:
            self.ended.add(generation_id)
            self.driver.delta({"type": "message_stop"}, generation_id)

    @rule(status=st.sampled_from([0, 529]))
    def break_stream(self, status: int) -> None:
        generation_id = self.streaming()
        if generation_id is not None:
            self.ended.add(generation_id)
            self.driver.tell(say.GenerationFailed(generation_id, status, "broken"))

    # The voice

    @rule(ms=st.sampled_from([20, 200, 900]))
    def give_audio(self, ms: int) -> None:
        utterance_id = self.speaking()
        if utterance_id is not None:
            self.driver.audio(ms, utterance_id)

    @rule()
    def finish_speech(self) -> None:
        utterance_id = self.speaking()
        if utterance_id is None:
            return
        pieces = [c for c in self.driver.all(say.Speak) if c.utterance_id == utterance_id]
        if not pieces[-1].more_follows:
            self.ended.add(utterance_id)
            self.driver.spoken(utterance_id)

    # The caller and the bridge

    @rule(words=st.sampled_from(["Hello.", "and then", "Why not?", ""]))
    def take_turn(self, words: str) -> None:
        self.driver.speak(ms=700)
        if words:
            self.driver.transcript(words)
        self.driver.silence(1100)
        self.driver.transcript(words, final=True)
        self.driver.tell(say.TurnFlushed())

    @rule()
    def hesitate(self) -> None:
        self.driver.speak(ms=400)
        self.driver.transcript("Maybe this one.")
        self.driver.silence(280)

    @rule(ms=st.integers(0, 1500))
    def barge_in(self, ms: int) -> None:
        core = self.driver.core
        response_id = core.active_response_id
        item_id = self.speaking()
        if response_id:
            core.fence(response_id)
            core.cancel_response(response_id)
        if item_id is not None:
            core.truncate_item(item_id, ms)
        self.driver.drain()

    @rule()
    def ask(self) -> None:
        self.driver.core.create_response("Say something.")
        self.driver.drain()

    @precondition(lambda self: self.unanswered)
    @rule(respond=st.booleans())
    def answer_tool(self, respond: bool) -> None:
        self.driver.core.send_tool_output(self.unanswered.pop(), "done", respond=respond)
        self.driver.drain()

    @rule(seconds=st.floats(0.0, 5.0))
    def wait(self, seconds: float) -> None:
        self.driver.wait(seconds)

    @rule()
    def reconnect(self) -> None:
        self.driver.core.connection_lost(self.driver.now)
        self.closed |= {g.generation_id for g in self.driver.all(say.Generate)}
        self.ended |= {c.utterance_id for c in self.driver.all(say.Speak)}
        self.driver.core.connection_made(self.driver.now)
        self.driver.drain()

    # Laws

    @invariant()
    def calls_are_made_once(self) -> None:
        requested = [event.call_id for event in self.driver.seen(ToolCallRequested)]
        assert len(set(requested)) == len(requested)
        known = {i.call_id for i in self.driver.core.history if i.kind == "function_call_output"}
        self.unanswered = [call_id for call_id in requested if call_id not in known]

    @invariant()
    def responses_begin_and_end_in_turn(self) -> None:
        open_ids: list[str] = []
        counts: Counter[str] = Counter()
        for event in self.driver.events:
            if isinstance(event, ResponseStarted):
                assert open_ids == []
                open_ids.append(event.response_id)
                counts[event.response_id] += 1
            elif isinstance(event, ResponseFinished):
                assert open_ids == [event.response_id]
                open_ids.clear()
            elif isinstance(event, AudioDelta):
                assert open_ids == [event.response_id]
        assert all(count == 1 for count in counts.values())
        assert self.driver.core.active_response_id == (open_ids[0] if open_ids else "")

    @invariant()
    def one_stream_at_a_time_and_none_without_need(self) -> None:
        self.streaming()
        running = [
            g.generation_id
            for g in self.driver.all(say.Generate)
            if g.generation_id not in self.closed | self.ended
        ]
        assert len(running) <= 1

    @invariant()
    def the_bot_said_what_the_voice_was_given(self) -> None:
        for item in self.driver.core.history:
            if item.kind == "message" and item.role == "assistant":
                assert item.text
                assert self.driver.text(item.item_id).startswith(item.text)

    @invariant()
    def what_was_cut_stays_cut(self) -> None:
        history = {item.item_id: item for item in self.driver.core.history}
        for event in self.driver.events:
            if isinstance(event, ItemDeleted):
                assert event.item_id not in history
            if isinstance(event, ItemTruncated) and event.item_id in history:
                assert event.text.startswith(history[event.item_id].text)

    @invariant()
    def audio_is_passed_on_whole(self) -> None:
        given = sum(len(event.audio) for event in self.driver.seen(AudioDelta))
        assert given == self.driver.core.stats.audio_bytes
        assert given % PCMU.bytes_per_sample == 0


class EagerConversation(Conversation):
    """The same where the voice is given what may be thrown away."""

    SPEAKS_EARLY = True


SETTINGS = settings(max_examples=60, stateful_step_count=30, deadline=None)
Conversation.TestCase.settings = EagerConversation.TestCase.settings = SETTINGS
TestConversation = Conversation.TestCase
TestEagerConversation = EagerConversation.TestCase
