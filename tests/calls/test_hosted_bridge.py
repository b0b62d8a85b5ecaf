from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from telephony.audio.format import PCMU
from telephony.calls.call_tasks import CallTasks
from telephony.calls.hosted_bridge import STALE_S, HostedBridge
from telephony.calls.keypad import KeypadConfig
from telephony.realtime import events as model
from telephony.realtime.guardrails import Guardrails, Rule
from telephony.realtime.traits import Traits
from telephony.turns.silence import SilencePolicy
from tests.support.fake_call import FakeClock, agent


class FakeDialect:
    """A sideband's dialect whose events are the test's."""

    def __init__(self) -> None:
        self.traits = Traits()
        self.active_response_id = ""
        self.events: list[model.ModelEvent] = []
        self.did: list[Any] = []
        self.cut_off_unseen = False

    def events_received(self) -> list[model.ModelEvent]:
        events, self.events = self.events, []
        return events

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None: ...

    def interrupt(self) -> None:
        self.did.append("interrupt")

    def create_response(self, instructions: str | None = None) -> None:
        self.did.append("respond")

    def add_user_text(self, text: str) -> None:
        self.did.append(text)


class Listener:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *values, **named: self.told.append((name, *values, *named.values()))

    @property
    def names(self) -> list[str]:
        return [name for name, *_ in self.told]


class Scene:
    def __init__(self, tasks: CallTasks, **changes: Any) -> None:
        self.clock = FakeClock()
        self.dialect = FakeDialect()
        self.listener = Listener()
        self.flushed = 0
        self.bridge = HostedBridge(
            agent(**changes),
            self.dialect,  # type: ignore[arg-type]
            self.listener,  # type: ignore[arg-type]
            tasks,
            self.clock,
            self.flush,
        )

    def flush(self) -> None:
        self.flushed += 1

    def hear(self, *events: model.ModelEvent) -> None:
        self.dialect.events += events
        self.bridge.pull_events()

    def speak(self, response_id: str = "r1") -> None:
        """Let the model say something that the server begins to play."""
        self.dialect.active_response_id = response_id
        words = model.TranscriptDelta("assistant", f"item_{response_id}", "Hello")
        self.hear(model.ResponseStarted(response_id), words, model.PlayoutStarted(response_id))

    def finish(self, response_id: str = "r1", status: Any = "completed") -> None:
        self.dialect.active_response_id = ""
        self.hear(model.ResponseFinished(response_id, status))

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.bridge._handle_timers()


@asynccontextmanager
async def scene(**changes: Any) -> AsyncIterator[Scene]:
    failures: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        s = Scene(CallTasks(group, failures.append), **changes)
        yield s
        s.bridge.close()
    assert failures == []


async def test_it_is_quiet_when_nobody_speaks_and_no_answer_is_under_way() -> None:
    async with scene() as s:
        assert s.bridge.quiet
        s.speak()
        s.finish()
        assert not s.bridge.quiet
        s.hear(model.PlayoutEnded("r1"))
        assert s.bridge.quiet
        s.hear(model.SpeechStarted("i", 0))
        assert not s.bridge.quiet
        s.hear(model.SpeechStopped("i", 900))
        assert s.bridge.quiet
        assert "caller_turn_ended" in s.listener.names
        s.dialect.active_response_id = "r2"
        assert not s.bridge.quiet


async def test_who_cut_the_bot_off_is_told() -> None:
    async with scene() as s:
        for reason in ("guardrail", "digit"):
            s.speak(reason)
            s.bridge.interrupt_bot(reason)  # type: ignore[arg-type]
            s.hear(model.PlayoutEnded(reason, cleared=True))
            assert s.listener.told[-1] == ("interrupted", reason)
            assert s.bridge.interrupted_response_id == reason
            s.finish(reason, "cancelled")
        s.speak("r3")
        s.hear(model.SpeechStarted("i", 0), model.PlayoutEnded("r3", cleared=True))
        assert s.listener.told[-1] == ("interrupted", "server")
        assert (s.bridge.stats.barge_ins, s.bridge.stats.cut_offs) == (2, 1)
        assert s.dialect.did == ["interrupt"] * 2


async def test_what_was_generated_already_is_cut_off_where_it_is_heard() -> None:
    async with scene() as s:
        s.speak()
        s.finish()
        s.bridge.interrupt_bot("guardrail")
        assert s.bridge.interrupted_response_id == "r1"


READY = model.SessionReady("sess_1", "m", PCMU, PCMU)
RULES = Guardrails((Rule("r", "output", phrases=(("no",),)),))


def reconnect(s: Scene) -> None:
    """Let another sideband take the place of the first."""
    if not s.bridge._was_ready:
        s.hear(READY)
    s.hear(READY)
    s.bridge.restored()


async def test_without_rules_nobody_is_cut_off_by_a_reconnect() -> None:
    async with scene() as s:
        reconnect(s)
        assert not s.dialect.cut_off_unseen
        s.bridge.change_agent(agent(guardrails=RULES))
        assert s.dialect.cut_off_unseen
        s.speak()
        s.hear(model.PlayoutEnded("r1", cleared=True))
        assert s.listener.told[-1] == ("interrupted", "server")


async def test_what_nobody_watched_is_told_once_it_was_cut_off() -> None:
    async with scene(guardrails=RULES) as s:
        reconnect(s)
        assert s.dialect.cut_off_unseen
        # It had begun in between, and is known by its end.
        s.speak()
        s.hear(model.PlayoutEnded("r1", cleared=True))
        assert s.listener.told[-1] == ("interrupted", "unwatched")
        s.finish("r1", "cancelled")
        assert s.listener.names.count("interrupted") == 1


async def test_what_began_and_played_unseen_is_told_when_it_was_cut_off() -> None:
    async with scene(guardrails=RULES) as s:
        s.speak("r1")
        s.finish("r1")
        s.hear(model.PlayoutEnded("r1"))
        reconnect(s)
        # What was heard to its end was not cut off, and neither was nothing.
        for response_id in ("r1", ""):
            s.hear(model.PlayoutEnded(response_id, cleared=True))
            assert "interrupted" not in s.listener.names
        s.hear(model.PlayoutEnded("r2", cleared=True))
        assert s.listener.told[-1] == ("interrupted", "unwatched")


async def test_what_was_cut_off_before_it_was_played_is_told_by_its_end() -> None:
    async with scene(guardrails=RULES) as s:
        reconnect(s)
        s.hear(model.ResponseStarted("r1"))
        s.finish("r1", "cancelled")
        assert s.listener.told[-1] == ("interrupted", "unwatched")


async def test_when_nothing_was_said_unwatched_nothing_is_told() -> None:
    async with scene(guardrails=RULES) as s:
        reconnect(s)
        s.speak()
        s.finish()
        s.hear(model.SpeechStarted("i", 0), model.PlayoutEnded("r1", cleared=True))
        assert s.listener.told[-1] == ("interrupted", "server")


async def test_the_end_of_what_was_playing_may_never_be_told() -> None:
    async with scene() as s:
        s.speak()
        s.finish()
        s.bridge.restored()
        s.wait(STALE_S - 1)
        assert s.bridge.caller_hears
        s.wait(1)
        assert not s.bridge.caller_hears
        assert s.listener.names[-1] == "playout_drained"


async def test_a_report_that_comes_is_believed() -> None:
    async with scene() as s:
        s.speak()
        s.bridge.restored()
        s.hear(model.PlayoutEnded("r1"))
        s.speak("r2")
        s.wait(STALE_S)
        assert s.bridge.caller_hears


async def test_a_server_that_answers_no_turn_is_asked_to() -> None:
    async with scene() as s:
        s.hear(model.InputCommitted("i"))
        assert s.dialect.did == []
        s.dialect.traits = Traits(responds_by_itself=False)
        s.hear(model.InputCommitted("i"))
        assert s.dialect.did == ["respond"]


async def test_keys_are_a_turn_of_the_caller() -> None:
    async with scene() as s:
        s.hear(model.DigitReported("4"), model.DigitReported("#"))
        assert s.dialect.did == ["The caller pressed 4# on the keypad.", "respond"]
        assert s.listener.names == ["digit_received", "digit_received", "caller_turn_ended"]
        assert s.flushed


async def test_silence_is_told() -> None:
    async with scene(silence=SilencePolicy(reprompt_after_s=1.0, max_reprompts=1)) as s:
        s.wait(1.1)
        s.wait(1.1)
        assert s.listener.told == [("caller_silent", False), ("caller_silent", True)]


async def test_what_was_used_is_counted_and_told() -> None:
    async with scene() as s:
        usage = model.Usage(input_tokens=3, output_tokens=2)
        s.hear(model.UsageReported(usage, "whisper"))
        s.hear(model.ResponseFinished("r1", "completed", usage=usage))
        assert (s.bridge.stats.input_tokens, s.bridge.stats.output_tokens) == (6, 4)
        told = [rest for name, *rest in s.listener.told if name == "usage_reported"]
        assert told == [[usage, "whisper"], [usage, ""]]


async def test_another_agent_has_manners_of_its_own() -> None:
    async with scene() as s:
        s.bridge.change_agent(agent(silence=SilencePolicy(reprompt_after_s=1.0, max_reprompts=0)))
        s.wait(1.1)
        assert s.listener.told == [("caller_silent", True)]
        s.bridge.change_agent(agent(silence=SilencePolicy(reprompt_after_s=9.0)))
        s.bridge.change_agent(agent(keypad=KeypadConfig(max_length=1)))
        s.wait(20.0)
        assert len(s.listener.told) == 1
        s.hear(model.DigitReported("4"))
        assert s.dialect.did[0] == "The caller pressed 4 on the keypad."
