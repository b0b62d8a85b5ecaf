from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from telephony.calls.agent import Agent, AgentLanguage
from telephony.calls.built_in_tools import tool_definitions
from telephony.calls.destination import Destination
from telephony.calls.handoff import Handoff
from telephony.calls.hosted_lacks import as_hosted, lacks_of, surface_of, why_unsafe
from telephony.calls.model_source import ModelSource
from telephony.realtime.guardrails import Guardrails, Rule, Side
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_model import OpenAILiveModel
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.session_fields import ServerVad
from telephony.realtime.tools import ToolRegistry
from telephony.turns.policy import BargeInPolicy
from tests.support.models import openai_agent

TRANSFERS = {
    "sales": Destination("+15550123"),
    "boss": Destination("+15550124", mode="attended"),
}
EVERYTHING: dict[str, Any] = {
    "can_send_digits": True,
    "recording_tools": ("pause_recording",),
    "transfers": TRANSFERS,
    "handoffs": {"billing": Handoff("billing")},
    "languages": {"en": AgentLanguage(), "es": AgentLanguage()},
}


def live(**changes: Any) -> Agent:
    return Agent("live", ModelSource(OpenAILiveModel(LiveConfig())), **changes)


def session(**settings: Any) -> Agent:
    return openai_agent(session=SessionConfig(model="gpt-realtime-2.1", **settings))


def rules(side: Side = "output", transfer_to: str = "", then: str = "") -> Guardrails:
    remedy: Any = "transfer" if transfer_to else "tell"
    rule = Rule("r", side, phrases=(("no",),), remedy=remedy, transfer_to=transfer_to)
    return Guardrails((rule,), transfer_to=then)


def keys(agent: Agent, **agents: Agent) -> list[tuple[str | int, ...]]:
    return [lack.key for lack in lacks_of(agent, agents)]


def names(agent: Agent) -> list[str]:
    return [tool.name for tool in tool_definitions(agent)]


def test_the_api_of_an_agent_accepts_its_calls() -> None:
    assert surface_of(openai_agent()) == "realtime"
    assert surface_of(live()) == "live"


def test_a_plain_agent_lacks_nothing() -> None:
    assert list(lacks_of(openai_agent(), {})) == []
    assert list(lacks_of(live(), {})) == []
    bot = openai_agent()
    assert as_hosted(bot, {}) == bot


def test_a_realtime_call_has_handoffs_and_languages_and_presses_no_keys() -> None:
    agents = {"billing": replace(openai_agent(), name="billing")}
    bot = openai_agent(**EVERYTHING)
    assert keys(bot, **agents) == [("transfers", "boss"), ("tools",), ("tools",)]
    offered = as_hosted(bot, agents)
    assert names(offered) == ["hangup", "transfer", "handoff", "switch_language"]
    assert list(offered.transfers) == ["sales"]


def test_a_live_call_presses_keys_and_stays_with_its_agent() -> None:
    agents = {"billing": replace(openai_agent(), name="billing")}
    bot = live(**EVERYTHING)
    places = [("transfers", "boss"), ("tools",), ("handoffs",), ("languages",)]
    assert keys(bot, **agents) == places
    offered = as_hosted(bot, agents)
    assert names(offered) == ["hangup", "transfer", "send_digits"]
    assert list(offered.languages) == ["en"]


def test_a_call_keeps_its_model() -> None:
    bot = openai_agent(handoffs={"mini": Handoff("mini"), "gone": Handoff("gone")})
    mini = openai_agent(session=SessionConfig(model="gpt-realtime-2.1-mini"))
    (lack,) = lacks_of(bot, {"mini": mini})
    assert lack.text.endswith(f"a call that was accepted keeps its model, {bot.source.model.model}")
    assert as_hosted(bot, {"mini": mini}).handoffs == {}


def test_a_voice_that_was_heard_stays() -> None:
    cedar = session(voice="cedar")
    bot = replace(session(voice="marin"), handoffs={"cedar": Handoff("cedar")})
    (lack,) = lacks_of(bot, {"cedar": cedar})
    assert lack.harmless
    assert "speaks with the voice of" in lack.text
    assert list(as_hosted(bot, {"cedar": cedar}).handoffs) == ["cedar"]
    spoken = AgentLanguage((cedar.source,))
    bot = replace(session(voice="marin"), languages={"en": AgentLanguage(), "es": spoken})
    (lack,) = lacks_of(bot, {})
    assert (lack.key, lack.harmless) == (("languages", "es"), True)


@pytest.mark.parametrize(
    ("agent", "key"),
    [
        (live(guardrails=rules("output")), ("guardrails", "rules", 0)),
        (
            openai_agent(guardrails=rules("input", "boss"), transfers=TRANSFERS),
            ("guardrails", "rules", 0, "transfer"),
        ),
        (
            openai_agent(guardrails=rules("output", then="boss"), transfers=TRANSFERS),
            ("guardrails", "transfer"),
        ),
        (
            replace(session(transcription=None), guardrails=rules("input")),
            ("guardrails", "rules", 0),
        ),
        (session(turn_detection=None), ("session", "turn_detection")),
    ],
)
def test_what_would_break_a_promise(agent: Agent, key: tuple[str | int, ...]) -> None:
    (lack,) = [lack for lack in lacks_of(agent, {}) if lack.unsafe]
    assert lack.key == key
    assert lack.fix
    assert why_unsafe(agent) == lack.text


@pytest.mark.parametrize(
    "agent",
    [
        live(guardrails=rules("input")),
        openai_agent(guardrails=rules("output")),
        openai_agent(guardrails=rules("input", "sales", "sales"), transfers=TRANSFERS),
        replace(session(transcription=None), guardrails=rules("output")),
    ],
)
def test_rules_that_hold(agent: Agent) -> None:
    assert why_unsafe(agent) == ""


def test_nobody_is_handed_to_an_agent_whose_rules_could_not_hold() -> None:
    careful = replace(openai_agent(guardrails=rules(then="boss"), transfers=TRANSFERS), name="c")
    bot = openai_agent(handoffs={"c": Handoff("c")})
    (lack,) = lacks_of(bot, {"c": careful})
    assert "'boss' is an attended transfer" in lack.text
    assert as_hosted(bot, {"c": careful}).handoffs == {}


def test_tools_of_the_users_own_take_our_names() -> None:
    def transfer() -> str:
        """Mine."""
        return ""

    agent = openai_agent(tools=ToolRegistry([transfer]), transfers=TRANSFERS, can_hang_up=False)
    assert names(as_hosted(agent, {})) == ["transfer"]


def test_another_model_never_takes_over() -> None:
    bot = openai_agent()
    bot = replace(bot, fallbacks=(bot.source,))
    (lack,) = lacks_of(bot, {})
    assert (lack.key, lack.harmless) == (("fallback",), True)
    assert as_hosted(bot, {}).fallbacks == ()


def test_what_interrupts_is_the_provider_s_to_say() -> None:
    off = BargeInPolicy(mode="off", protect_greeting=True)
    places = [("barge_in", "protect_greeting"), ("barge_in", "mode")]
    assert keys(openai_agent(barge_in=off)) == places
    assert keys(live(barge_in=off)) == places
    (_, fix) = (lack.fix for lack in lacks_of(live(barge_in=off), {}))
    assert fix == "write mode: server"
    asked = ServerVad(interrupt_response=False)
    assert keys(replace(session(turn_detection=asked), barge_in=off)) == []
    assert keys(openai_agent(barge_in=BargeInPolicy(mode="server"))) == []


def test_nobody_hears_hold_music() -> None:
    sales = Destination("+15550120", hold_music="tone:ringback")
    (lack,) = lacks_of(openai_agent(transfers={"sales": sales}), {})
    assert (lack.key, lack.harmless) == (("transfers", "sales"), True)


def test_nothing_of_ours_is_played() -> None:
    (lack,) = lacks_of(openai_agent(filler="tone:busy"), {})
    assert (lack.key, lack.harmless) == (("filler",), True)
