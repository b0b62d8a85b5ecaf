from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from telephony.calls.call_tasks import CallTasks
from telephony.calls.guard import Guard
from telephony.realtime.guardrails import Guardrails, Rule, read_phrase
from telephony.realtime.tool_schema import ToolContext
from tests.support.eventually import eventually
from tests.support.fake_call import services
from tests.support.phones import Watcher


class Call:
    def __init__(self) -> None:
        self.did: list[Any] = []

    def interrupt_bot(self) -> None:
        self.did.append("cut")

    def correct(self, text: str) -> None:
        self.did.append(("correct", text))

    def send_away(self, destination: str) -> None:
        self.did.append(("transfer", destination))

    def give_up(self) -> None:
        self.did.append("hangup")


class Scene:
    def __init__(self, tasks: CallTasks, guardrails: Guardrails) -> None:
        self.call = Call()
        self.watcher = Watcher()
        self.guard = Guard(
            guardrails,
            self.call,
            tasks,
            services(metrics=self.watcher),
            structlog.get_logger(),
            ToolContext("c1"),
        )

    def says(self, text: str, item_id: str = "i1") -> None:
        for word in text.split(" "):
            self.guard.transcript_delta("assistant", item_id, f"{word} ")

    def hears(self, text: str, item_id: str = "u1") -> None:
        self.guard.transcript_finished("user", item_id, text)


@asynccontextmanager
async def scene(*rules: Rule, **changes: Any) -> AsyncIterator[Scene]:
    errors: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, errors.append)
        yield Scene(tasks, Guardrails(rules, **changes))
        tasks.close()
    assert errors == []


REFUND = Rule("refund", "output", (read_phrase("full refund"),), message="No refunds.")


async def test_what_the_bot_must_not_say_is_cut_off_and_said_otherwise() -> None:
    async with scene(REFUND) as s:
        s.says("You get a full refund today and more")
        [cut, (kind, text)] = s.call.did
        assert (cut, kind) == ("cut", "correct")
        assert "No refunds." in text
        assert s.watcher.guardrail_trips == [("refund", "output")]
        # The transcript's end, and what else came of that item, changes nothing.
        s.guard.transcript_finished("assistant", "i1", "You get a full refund")
        assert len(s.call.did) == 2


async def test_what_was_said_is_not_logged() -> None:
    def check(text: str, context: ToolContext) -> bool:
        """Fail with what was said."""
        raise ValueError(text)

    with structlog.testing.capture_logs() as logs:
        async with scene(REFUND, Rule("check", "output", function=check)) as s:
            s.guard.transcript_finished("assistant", "i0", "hush hush")
            await eventually(lambda: any(e["event"] == "guardrail.failed" for e in logs))
            s.says("a full refund of everything")
    assert {entry["event"] for entry in logs} == {"guardrail.tripped", "guardrail.failed"}
    assert "hush" not in repr(logs)
    assert "everything" not in repr(logs)


async def test_after_so_many_trips_the_call_ends() -> None:
    async with scene(REFUND, max_trips=1) as s:
        s.says("a full refund yes", "i1")
        s.says("a full refund yes", "i2")
        assert s.call.did[-2:] == ["cut", "hangup"]
        s.says("a full refund yes", "i3")
        assert s.call.did[-1] == "hangup"
        assert len(s.watcher.guardrail_trips) == 2


async def test_after_so_many_trips_the_caller_may_be_transferred() -> None:
    async with scene(REFUND, max_trips=0, transfer_to="sales") as s:
        s.says("a full refund yes")
        assert s.call.did == ["cut", ("transfer", "sales")]


def on_input(remedy: Any, transfer_to: str = "") -> Rule:
    lawyer = (read_phrase("lawyer"),)
    about = {"message": "Be careful.", "remedy": remedy, "transfer_to": transfer_to}
    return Rule("law", "input", lawyer, **about)


async def test_what_the_caller_says_may_be_told_to_the_model() -> None:
    async with scene(on_input("tell")) as s:
        s.hears("I call my lawyer")
        assert s.call.did[0] == "cut"
        assert "Be careful." in s.call.did[1][1]
        assert s.watcher.guardrail_trips == [("law", "input")]
        s.says("my lawyer says so")
        assert len(s.call.did) == 2


async def test_what_the_caller_says_may_end_the_call() -> None:
    async with scene(on_input("hangup")) as s:
        s.hears("I call my lawyer")
        assert s.call.did == ["cut", "hangup"]
    async with scene(on_input("transfer", "law")) as s:
        s.hears("I call my lawyer")
        assert s.call.did == ["cut", ("transfer", "law")]


async def test_a_function_is_asked_about_what_was_said_so_far() -> None:
    asked: list[str] = []

    async def topic(text: str, context: ToolContext) -> bool:
        asked.append(text)
        return "politics" in text and context.call_id == "c1"

    async with scene(Rule("topic", "output", function=topic), check_every=20) as s:
        s.says("let us speak about the weather or politics or both today")
        await eventually(lambda: s.call.did)
        assert s.call.did[0] == "cut"
        assert all(len(text) >= 20 for text in asked)


async def test_while_a_function_thinks_only_the_newest_text_waits_for_it() -> None:
    asked: list[str] = []
    release = asyncio.Event()

    async def slow(text: str, context: ToolContext) -> bool:
        asked.append(text)
        await release.wait()
        return False

    async with scene(Rule("slow", "output", function=slow), check_every=20) as s:
        s.says("one " * 50)
        await asyncio.sleep(0)
        release.set()
        await eventually(lambda: len(asked) == 2)
        assert len(asked[0]) < 25
        assert len(asked[1]) > 180


async def test_functions_that_block_run_beside_the_loop() -> None:
    def blocking(text: str, context: ToolContext) -> str:
        return "found" if "secret" in text else ""

    async with scene(Rule("blocking", "output", function=blocking)) as s:
        s.guard.transcript_finished("assistant", "i1", "a secret")
        await eventually(lambda: s.call.did)


async def test_a_function_that_takes_too_long_found_nothing() -> None:
    async def never(text: str, context: ToolContext) -> bool:
        await asyncio.Event().wait()
        return True

    with structlog.testing.capture_logs() as logs:
        rule = Rule("never", "output", function=never)
        async with scene(rule, check_timeout_s=0.01) as s:
            s.guard.transcript_finished("assistant", "i1", "text")
            await eventually(lambda: logs)
            assert logs[0]["error"] == "TimeoutError"
            assert s.call.did == []


async def test_another_agent_has_other_rules_and_trips_go_on_counting() -> None:
    async with scene(REFUND, max_trips=1) as s:
        s.says("a full refund yes", "i1")
        s.guard.adopt(Guardrails((Rule("late", "output", (read_phrase("late"),)),), max_trips=1))
        s.says("a full refund yes", "i2")
        assert len(s.call.did) == 2
        s.says("too late now", "i3")
        assert s.call.did[-1] == "hangup"


async def test_without_rules_nothing_is_watched() -> None:
    async with scene() as s:
        s.says("a full refund")
        s.hears("anything")
        assert s.call.did == []


async def test_a_rule_of_an_agent_who_no_longer_talks_is_not_held_against_the_one_who_does() -> (
    None
):
    asked, release = asyncio.Event(), asyncio.Event()

    async def slow(text: str, context: ToolContext) -> bool:
        asked.set()
        await release.wait()
        return True

    away = Rule("away", "input", function=slow, remedy="transfer", transfer_to="only-of-the-first")
    async with scene(away) as s:
        s.hears("anything")
        await asked.wait()
        s.guard.adopt(Guardrails((REFUND,)))
        release.set()
        await asyncio.sleep(0.01)
        assert s.call.did == []
        assert s.watcher.guardrail_trips == []
