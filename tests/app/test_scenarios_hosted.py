"""Whole hosted calls: webhook, requests and sideband over real sockets, all on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from telephony.calls.agent import Agent
from telephony.calls.destination import Destination
from telephony.calls.model_source import ModelSource
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_model import OpenAILiveModel
from telephony.realtime.tools import ToolRegistry
from telephony.rehearsal.hosted.call import RehearsedCall
from telephony.rehearsal.scenario import Scenario
from telephony.turns.silence import SilencePolicy
from tests.support.eventually import eventually
from tests.support.hosted import Hosted, hosted_bot, texts
from tests.support.scenes import script


def scene(turns: str) -> Scenario:
    return script("  - {when: greeting, say: short_answer}\n" + turns, ears=False)


def verbs(bot: Hosted) -> list[str]:
    return [verb for verb, *_ in bot.provider.requests]


async def greeted(call: RehearsedCall) -> None:
    await eventually(lambda: call.line is not None and call.line.playing)
    await eventually(lambda: call.line is not None and not call.line.playing)


async def test_the_model_hangs_up_when_its_goodbye_was_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = "  - {when: {turn: 1}, say: goodbye, call: {name: hangup}}\n"
    async with hosted_bot(tmp_path, monkeypatch, scenario=scene(turns)) as bot:
        call = await bot.call()
        await greeted(call)
        call.say("caller_yes")
        await call.over.wait()
        await eventually(lambda: bot.records)
        assert bot.records[0]["cause"] == "bot_hung_up"
        assert bot.records[0]["turns"] == 1
    assert [what for what, _ in call.did] == ["accept", "hangup"]
    assert call.line is not None
    assert call.line.played_ms > 1000


async def test_tools_run_here_and_the_model_goes_on_with_their_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def opening_hours(day: str) -> str:
        """Tell when we are open."""
        asked.append(day)
        return "nine to five"

    turns = (
        "  - {when: {turn: 1}, call: {name: opening_hours, arguments: {day: monday}}}\n"
        "  - {when: tool, say: tool_done}\n"
    )
    changes = {"tools": ToolRegistry([opening_hours])}
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        await greeted(call)
        call.say("caller_yes")
        await eventually(lambda: asked)
        await greeted(call)
        assert asked == ["monday"]
        assert call.session["tools"][0]["name"] == "opening_hours"
        call.caller_leaves()


async def test_the_model_sends_the_caller_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = "{destination: sales}"
    turns = (
        f"  - {{when: {{turn: 1}}, say: agent, call: {{name: transfer, arguments: {arguments}}}}}\n"
    )
    changes = {"transfers": {"sales": Destination("+15550123")}}
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        await greeted(call)
        call.say("caller_yes")
        await call.over.wait()
        await eventually(lambda: bot.records)
        (record,) = bot.records
        assert record["cause"] == "transferred"
        assert record["transfers"][0]["outcome"] == "transferred"
    assert call.did[:2] == [("accept", "realtime"), ("refer", "tel:+15550123")]


async def test_a_transfer_that_is_refused_leaves_the_caller_with_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = "{destination: sales}"
    turns = (
        f"  - {{when: {{turn: 1}}, say: agent, call: {{name: transfer, arguments: {arguments}}}}}\n"
        "  - {when: tool, say: tool_done}\n"
    )
    changes = {"transfers": {"sales": Destination("+15550123")}}
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        bot.provider.faults["refer"].append(400)
        call = await bot.call()
        await greeted(call)
        call.say("caller_yes")
        await eventually(lambda: "refer" in verbs(bot))
        await greeted(call)
        assert call.state == "answered"
        call.caller_leaves()
        await eventually(lambda: bot.records)
        assert bot.records[0]["transfers"][0]["outcome"] == "not_taken"
        assert bot.records[0]["cause"] == "caller_hung_up"


async def test_keys_of_the_caller_reach_the_model_as_one_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = "  - {when: {dtmf: any}, say: key_pressed}\n"
    async with hosted_bot(tmp_path, monkeypatch, scenario=scene(turns)) as bot:
        call = await bot.call()
        await greeted(call)
        for key in "42#":
            call.press(key)
        await eventually(lambda: "The caller pressed 42# on the keypad." in texts(call))
        await greeted(call)
        call.caller_leaves()


async def test_a_key_interrupts_what_the_model_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = "  - {when: {dtmf: any}, say: key_pressed}\n"
    async with hosted_bot(tmp_path, monkeypatch, scenario=scene(turns)) as bot:
        call = await bot.call()
        await eventually(lambda: call.line is not None and call.line.playing)
        call.press("1")
        await eventually(lambda: call.line is not None and not call.line.playing)
        call.caller_leaves()
        await eventually(lambda: bot.records)
        assert bot.records[0]["barge_ins"] == 1


async def test_a_caller_who_interrupts_the_goodbye_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = (
        "  - {when: {turn: 1}, say: [opening_hours, goodbye], call: {name: hangup}}\n"
        "  - {when: {turn: 2}, say: short_answer}\n"
    )
    async with hosted_bot(tmp_path, monkeypatch, scenario=scene(turns)) as bot:
        call = await bot.call()
        await greeted(call)
        call.say("caller_yes")
        await eventually(lambda: call.line is not None and call.line.playing_all)
        call.say("caller_yes")
        await greeted(call)
        assert call.state == "answered"
        call.caller_leaves()
        await eventually(lambda: bot.records)
        assert bot.records[0]["barge_ins"] == 1


async def test_a_lost_sideband_is_opened_again_and_nothing_is_said_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = "  - {when: {dtmf: any}, say: key_pressed}\n"
    async with hosted_bot(tmp_path, monkeypatch, scenario=scene(turns)) as bot:
        call = await bot.call()
        await greeted(call)
        before = texts(call)
        call.drop_sidebands(1011)
        await eventually(lambda: verbs(bot).count("sideband") == 2 and call.sidebands == 1)
        call.press("7")
        await eventually(lambda: "The caller pressed 7 on the keypad." in texts(call))
        assert texts(call)[: len(before)] == before
        call.caller_leaves()
        await eventually(lambda: bot.records)
        assert bot.records[0]["model_reconnects"] == 1


async def test_a_sideband_that_is_lost_for_good_ends_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch, scenario=scene("")) as bot:
        call = await bot.call()
        await greeted(call)
        bot.provider.faults["sideband"].extend([500] * 10)
        call.drop_sidebands(1011)
        await call.over.wait()
        await eventually(lambda: bot.records)
        assert bot.records[0]["cause"] == "model_lost"
    assert call.did[-1] == ("hangup", None)


async def test_a_sideband_that_never_opens_ends_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch, scenario=scene("")) as bot:
        bot.provider.faults["sideband"].extend([401] * 10)
        call = await bot.call()
        await call.over.wait()
        await eventually(lambda: bot.records)
        assert bot.records[0]["cause"] == "model_unavailable"
        assert bot.records[0]["result"] == "answered"


async def test_a_caller_who_gives_up_while_it_is_accepted_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch) as bot:
        bot.provider.delays_s["accept"] = 0.1
        call = await bot.call()
        await eventually(lambda: "accept" in verbs(bot))
        call.caller_leaves()
        await eventually(lambda: bot.records)
        (record,) = bot.records
        assert (record["result"], record["cause"]) == ("cancelled", "caller_cancelled")
    assert verbs(bot) == ["accept"]


@pytest.mark.parametrize("statuses", [[500], [503, 429], [0]])
async def test_an_api_that_stumbles_is_asked_again(
    statuses: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch) as bot:
        bot.provider.faults["accept"].extend(statuses)
        call = await bot.call()
        await call.answered.wait()
        assert verbs(bot).count("accept") == len(statuses) + 1
        call.caller_leaves()


async def test_an_api_that_stays_down_costs_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch) as bot:
        bot.provider.faults["accept"].extend([500] * 3)
        call = await bot.call()
        await call.over.wait()
        assert call.did == [("reject", 503)]
        await eventually(lambda: bot.records)
        assert bot.records[0]["cause"] == "model_unavailable"


async def test_a_key_that_is_wrong_costs_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch, api_key="sk-wrong") as bot:
        call = await bot.call()
        await eventually(lambda: bot.records)
        assert bot.records[0]["cause"] == "model_unavailable"
        assert call.state == "ringing"
        await eventually(lambda: verbs(bot) == ["accept", "reject", "hangup"])


async def test_an_accept_that_was_carried_out_though_no_answer_came_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch, limits={"setup_timeout_s": 0.1}) as bot:
        bot.provider.delays_s["accept"] = 0.3
        call = await bot.call()
        await call.over.wait()
        assert [what for what, _ in call.did] == ["accept", "hangup"]
        await eventually(lambda: bot.records)
        assert bot.records[0]["result"] == "failed"


PLAN_OF_VERBS = """\
contexts:
  main:
    - name: rejected
      when: {called: "+15550486"}
      do: [reject: {status: 486, reason: Busy}]
    - name: sent_on
      when: {called: "+15550302"}
      do: [transfer: "sip:desk@pbx.example"]
    - name: sent_on_or_taken
      when: {called: "+15550303"}
      do: [transfer: "+15550123", connect_model: bot]
    - name: answered_and_hung_up
      when: {called: "+15550200"}
      do: [answer, hangup]
    - name: impossible
      when: {called: "+15550501"}
      do: [play: "tone:busy", connect_model: bot]
"""


@pytest.mark.parametrize(
    ("called", "did", "cause"),
    [
        ("+15550486", [("reject", 486)], "dialplan_rejected"),
        (
            "+15550302",
            [("accept", "realtime"), ("refer", "sip:desk@pbx.example")],
            "transferred",
        ),
        ("+15550200", [("accept", "realtime"), ("hangup", None)], "dialplan_hung_up"),
        ("+15550501", [("reject", 501)], "not_hosted"),
        ("+15550404", [("reject", 404)], "no_route"),
    ],
)
async def test_verbs_of_the_dialplan(
    called: str,
    did: list[Any],
    cause: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("telephony.calls.hosted_call.LEAVE_S", 0.2)
    async with hosted_bot(tmp_path, monkeypatch, plan=PLAN_OF_VERBS) as bot:
        call = await bot.call(called=called)
        await call.over.wait()
        assert call.did == did
        await eventually(lambda: bot.records)
        assert bot.records[0]["cause"] == cause
        assert bot.records[0]["called"] == called


async def test_when_the_caller_can_not_be_sent_on_the_next_action_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch, plan=PLAN_OF_VERBS) as bot:
        bot.provider.faults["refer"].append(400)
        call = await bot.call(called="+15550303")
        await greeted(call)
        assert call.state == "answered"
        call.caller_leaves()


async def test_no_new_calls_while_the_bot_drains_and_the_present_one_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch) as bot:
        first = await bot.call()
        await greeted(first)
        drain = asyncio.create_task(bot.server.drain())
        await asyncio.sleep(0)
        second = await bot.call()
        await second.over.wait()
        assert second.did == [("reject", 503)]
        assert first.state == "answered"
        first.caller_leaves()
        assert await drain


async def test_no_more_calls_than_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosted_bot(tmp_path, monkeypatch, hosted_sip={"max_calls": 1}) as bot:
        first = await bot.call()
        await first.answered.wait()
        second = await bot.call()
        await second.over.wait()
        assert second.did == [("reject", 503)]
        first.caller_leaves()
        await eventually(lambda: len(bot.records) == 2)
        third = await bot.call()
        await third.answered.wait()
        third.caller_leaves()


async def test_leaving_the_bot_hangs_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosted_bot(tmp_path, monkeypatch) as bot:
        call = await bot.call()
        await call.answered.wait()
        await bot.server.__aexit__(None, None, None)
        assert call.did == [("accept", "realtime"), ("hangup", None)]


async def test_an_agent_whose_event_never_comes_costs_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch, hosted_sip={"event_wait_s": 0.05}) as bot:
        call = await bot.call(surfaces=["live"])
        await call.over.wait()
        assert call.did == [("reject", 501)]


async def test_whichever_event_comes_first_the_api_of_the_agent_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch) as bot:
        call = await bot.call(surfaces=["live", "realtime"])
        await call.answered.wait()
        assert call.did == [("accept", "realtime")]
        assert verbs(bot).count("accept") == 1
        call.caller_leaves()
        await eventually(lambda: bot.records)
        assert len(bot.records) == 1


async def test_no_call_is_longer_than_it_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch, limits={"max_call_s": 0.1}) as bot:
        call = await bot.call()
        await call.over.wait()
        assert [what for what, _ in call.did] == ["accept", "hangup"]
        await eventually(lambda: bot.records)
        assert bot.records[0]["cause"] == "max_duration"


async def test_a_caller_who_says_nothing_is_asked_and_then_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"silence": SilencePolicy(reprompt_after_s=0.3, max_reprompts=1)}
    turns = "  - {when: nudge, say: still_there}\n"
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        await call.over.wait()
        assert "Are you still there?" in texts(call)
        await eventually(lambda: bot.records)
        assert bot.records[0]["cause"] == "silent_caller"


def live_agent(**changes: Any) -> Agent:
    model = OpenAILiveModel(LiveConfig())
    return Agent("bot", ModelSource(model), greeting="Say hello to the caller.", **changes)


async def test_a_live_call_is_greeted_and_ends_when_the_caller_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch, agents={"bot": live_agent()}) as bot:
        call = await bot.call()
        await eventually(lambda: call.live is not None and call.live.context)
        assert call.live is not None
        assert call.live.context[0][1].endswith("Say hello to the caller.")
        assert "format" not in call.session["audio"]
        call.press("7")
        call.press("#")
        await eventually(lambda: call.live is not None and len(call.live.context) >= 2)
        assert ("thinking", "The caller pressed 7# on the keypad.") in call.live.context
        call.drop_sidebands(1011)
        await eventually(lambda: call.sidebands == 1)
        call.caller_leaves()
        await eventually(lambda: bot.records)
        (record,) = bot.records
        assert record["cause"] == "caller_hung_up"
        assert record["model"] == "openai_live/gpt-live-1.1"
        assert record["hosted_call_id"] == call.ids["live"]
    assert call.did[0] == ("accept", "live")


async def test_a_live_call_that_the_bot_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch, agents={"bot": live_agent()}) as bot:
        call = await bot.call(surfaces=["live"])
        await eventually(lambda: call.sidebands == 1)
    assert call.did == [("accept", "live"), ("hangup", None)]
