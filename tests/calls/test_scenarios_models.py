"""Calls over SIP and RTP that go on with another session, another model, another agent."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from telephony.calls import succession
from telephony.calls.agent import Agent
from telephony.calls.model_source import ModelSource
from telephony.calls.services import utc_today
from telephony.calls.spend import SpendLedger, SpendLimits
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.prices import Price
from telephony.realtime.session_config import SessionConfig
from telephony.rehearsal.caller import CallFailed
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.model_server import ModelServer, serve
from tests.support.eventually import eventually
from tests.support.models import openai_agent
from tests.support.scenes import (
    PATIENCE_S,
    YES,
    clean_phones,
    script,
    texts,
    until_silent,
)

REMEMBERS = script(
    """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, say: you_said}
  - {when: {turn: 2}, say: tool_done}
  - {when: nudge, say: you_said}
"""
)
FAST = {"reconnect_initial_s": 0.02, "reconnect_maximum_s": 0.05, "reconnect_attempts": 2}


def source_at(server: ModelServer) -> ModelSource:
    return ModelSource(OpenAIRealtimeModel(SessionConfig(model="other")), server.base_url)


def said(server: ModelServer) -> list[str]:
    return [item.text for item in server.sessions[-1].conversation]


async def test_another_model_goes_on_where_the_first_was_lost() -> None:
    async with (
        serve(scenario=REMEMBERS) as other,
        clean_phones(scenario=REMEMBERS, fallbacks=(source_at(other),), **FAST) as p,
    ):
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        await until_silent(caller)
        p.model.faults = ConnectionFaults(refuse_status=503)
        for connection in list(p.model.connections):
            connection.abort()
        await eventually(lambda: p.watcher.reconnects)
        await caller.say(YES)
        await until_silent(caller)
        # Only a model that was told of the first turn knows that this is the second.
        assert said(other)[-1] == "Done, that is taken care of."
        await caller.hang_up()
    assert p.watcher.reconnects == ["failed_over"]


async def test_a_call_whose_first_model_is_out_of_quota_is_taken_by_the_second() -> None:
    refuses = script("  - {when: greeting, say: you_said}\n", faults="{refuse_status: 401}")
    async with (
        serve(scenario=REMEMBERS) as other,
        clean_phones(scenario=refuses, fallbacks=(source_at(other),), **FAST) as p,
    ):
        for _ in range(2):
            caller = await p.dial()
            assert await caller.wait_until_bot_speaks(PATIENCE_S)
            await caller.hang_up()
        # The second call did not ask the one that had refused the first.
        assert p.model.handshakes == 1
        assert other.handshakes == 2


async def test_a_caller_who_waits_hears_a_filler_until_the_other_model_answers() -> None:
    async with (
        serve(scenario=REMEMBERS) as other,
        clean_phones(
            scenario=script("  - {when: greeting, say: you_said}\n"),
            fallbacks=(source_at(other),),
            filler="tone:ringback",
            **FAST | {"reconnect_attempts": 0},
        ) as p,
    ):
        caller = await p.dial()
        await until_silent(caller)
        filled: list[bytes] = []
        conversation = p.present_call().conversation
        conversation.bridge.fill = filled.append
        conversation._owed._owed = True
        for connection in list(p.model.connections):
            connection.abort()
        await eventually(lambda: p.watcher.reconnects)
        assert len(filled) == 1
        assert len(filled[0]) > 160
        await caller.hang_up()


async def test_a_session_is_rolled_over_in_a_silent_gap_and_nothing_is_lost() -> None:
    async with clean_phones(scenario=REMEMBERS, **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        await until_silent(caller)
        p.present_call().conversation.session_expiring(None)
        await eventually(lambda: p.watcher.reconnects)
        await caller.say(YES)
        await until_silent(caller)
        assert texts(p)[-1] == "Done, that is taken care of."
        assert len(p.model.sessions) == 2
        assert len(p.model.connections) == 1
        stats = p.present_call().conversation.link.stats
        assert (stats.rollovers, stats.reconnects) == (1, 0)
        assert p.present_call().conversation.bridge.uplink.dropped_ms == 0
        await caller.hang_up()


async def test_a_session_that_ends_in_the_middle_of_an_answer_is_left_before_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(succession, "LAST_MOMENT_S", 0.0)
    async with clean_phones(scenario=REMEMBERS, **FAST) as p:
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        p.present_call().conversation.session_expiring(0.2)
        await eventually(lambda: p.watcher.reconnects)
        await until_silent(caller)
        await caller.say(YES)
        await until_silent(caller)
        assert len(p.model.sessions) == 2
        await caller.hang_up()
    assert p.watcher.reconnects == ["rolled_over"]


async def test_a_caller_is_handed_to_another_agent_who_knows_what_was_said() -> None:
    async with serve(scenario=REMEMBERS) as other:
        billing: Agent = openai_agent(
            name="billing",
            base_url=other.base_url,
            session=SessionConfig(model="rehearsal"),
            instructions="You are billing.",
        )
        async with clean_phones(scenario=REMEMBERS, others={"billing": billing}, **FAST) as p:
            caller = await p.dial()
            await until_silent(caller)
            await caller.say(YES)
            await until_silent(caller)
            conversation = p.present_call().conversation
            assert await conversation.hand_off("billing")
            assert conversation.agent == billing
            assert not await conversation.hand_off("nobody")
            await until_silent(caller)
            session = other.sessions[-1]
            assert session.settings.wire["instructions"] == "You are billing."
            assert [item.role for item in session.conversation][:3] == [
                "assistant",
                "user",
                "assistant",
            ]
            assert await _gone(p.model)
            await caller.hang_up()


async def _gone(server: ModelServer) -> bool:
    await eventually(lambda: not server.connections)
    return True


PRICE = Price(text_input=1000.0, audio_input=1000.0, text_output=1000.0, audio_output=1000.0)


def priced(**changes: Any) -> Any:
    """Return an agent on a model that costs a tenth of a cent a token."""
    agent = openai_agent(greeting="Greet.", **changes)
    return replace(agent, source=replace(agent.source, price=PRICE))


async def test_a_call_that_has_cost_enough_is_ended_with_a_goodbye() -> None:
    talks = script(
        "  - {when: greeting, say: you_said}\n  - {when: nudge, say: goodbye}\n"
        "  - {when: any, say: goodbye}\n"
    )
    async with serve(scenario=talks) as server:
        bot = priced(base_url=server.base_url, spend_limit_usd=0.001)
        async with clean_phones(agent=bot) as p:
            caller = await p.dial()
            # The goodbye follows the greeting without a gap.
            assert await caller.wait_until_ended(PATIENCE_S)
            assert said(server)[-1] == "Thank you for calling. Goodbye!"
        assert p.watcher.finished == [("answered", "spend_limit")]
        assert p.watcher.spent_usd > 0.001
        [call] = p.calls
        assert call.conversation is not None
        assert call.conversation.spend.unpriced == 0


async def test_no_call_begins_after_the_days_money_is_spent() -> None:
    async with serve(scenario=REMEMBERS) as server:
        ledger = SpendLedger(SpendLimits(day_usd=0.001), utc_today)
        async with clean_phones(agent=priced(base_url=server.base_url), spend=ledger) as p:
            caller = await p.dial()
            await until_silent(caller)
            await eventually(lambda: ledger.exhausted)
            await caller.say(YES)
            await until_silent(caller)
            await caller.hang_up()
            with pytest.raises(CallFailed) as caught:
                await p.dial()
            assert caught.value.status == 503


async def test_a_session_that_the_provider_bounds_is_left_in_time() -> None:
    """The server says when it will end, and ends then; the call goes on beyond it, twice."""
    bounded = REMEMBERS.model_copy(update={"max_session_s": 6.0})
    async with serve(scenario=bounded) as server:
        model = OpenAIRealtimeModel(SessionConfig(model="rehearsal"), unix_time=time.time)
        bot = openai_agent(source=ModelSource(model, server.base_url), greeting="Greet.", **FAST)
        async with clean_phones(agent=bot) as p:
            caller = await p.dial()
            await until_silent(caller)
            await caller.say(YES)
            await until_silent(caller)
            await eventually(lambda: len(p.watcher.reconnects) == 2)
            await caller.say(YES)
            await until_silent(caller)
            assert said(server)[-1] == "Done, that is taken care of."
            await caller.hang_up()
        assert set(p.watcher.reconnects) == {"rolled_over"}
