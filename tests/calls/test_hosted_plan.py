from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from telephony.calls.hosted_plan import (
    brief_of,
    refer_target,
    why_no_agent,
    why_not_hosted,
)
from telephony.calls.model_source import ModelSource
from telephony.dialplan.actions import (
    Answer,
    ConnectModel,
    Hangup,
    Play,
    PreAnswer,
    Record,
    Reject,
    Transfer,
)
from telephony.realtime.guardrails import Guardrails, Rule
from telephony.realtime.tools import ToolRegistry
from tests.realtime.hosted.test_session_body import Elsewhere
from tests.support.models import openai_agent


def elsewhere(api: str) -> Any:
    return openai_agent(name="other").__class__(
        name="other",
        source=ModelSource(Elsewhere(api, None)),  # type: ignore[arg-type]
    )


AGENTS = {"bot": openai_agent(), "other": elsewhere("gemini_live")}


@pytest.mark.parametrize(
    "action",
    [
        Answer(),
        Reject(486),
        Hangup(),
        ConnectModel("bot"),
        ConnectModel("nobody"),
        Transfer("+15550123"),
        Record("stop"),
        Record("pause"),
    ],
)
def test_what_can_be_done(action: Any) -> None:
    assert why_not_hosted(action, AGENTS) == ""


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (PreAnswer(), "pre_answer needs the audio"),
        (Play("x.wav"), "play needs the audio"),
        (Record(), "record needs the audio"),
        (Transfer("+15550123", mode="attended"), "an attended transfer needs the audio"),
        (Transfer("+15550123", play="x.wav"), "transfer with play needs"),
        (Transfer("+15550123", hold_music="x.wav"), "transfer with hold_music needs"),
        (ConnectModel("other"), "OpenAI does not answer calls for agent 'other'"),
    ],
)
def test_what_needs_audio_or_another_provider_can_not(action: Any, why: str) -> None:
    assert why_not_hosted(action, AGENTS).startswith(why)


def test_the_api_of_an_agent_accepts_its_calls() -> None:
    assert why_no_agent(openai_agent()) == ""
    assert why_no_agent(elsewhere("openai_live")) == ""
    assert "whose API is cascade" in why_no_agent(elsewhere("cascade"))


def test_an_agent_whose_rules_could_not_hold_takes_no_call() -> None:
    rule = Rule("prices", "output", phrases=(("price",),))
    live = replace(elsewhere("openai_live"), guardrails=Guardrails((rule,)))
    assert why_no_agent(live) == (
        "agent 'other' can't take it: OpenAI Live can't be cut off, so that rule 'prices' "
        "could not hold"
    )
    assert why_not_hosted(ConnectModel("live"), {"live": live}) == why_no_agent(live)
    assert why_no_agent(openai_agent(guardrails=Guardrails((rule,)))) == ""


def test_the_session_has_the_tools_of_the_agent() -> None:
    def weather() -> str:
        """Tell the weather."""
        return "sunny"

    agent = openai_agent(instructions="Be kind.", tools=ToolRegistry([weather]))
    brief = brief_of(agent)
    assert brief.instructions == "Be kind."
    assert [tool.name for tool in brief.tools] == ["weather", "hangup"]


@pytest.mark.parametrize(
    ("to", "target"),
    [
        ("+1 (555) 0123", "tel:+15550123"),
        ("100", "tel:100"),
        ("sip:desk@pbx.example", "sip:desk@pbx.example"),
        ("sips:desk@pbx.example", "sips:desk@pbx.example"),
        ("tel:+15550123", "tel:+15550123"),
    ],
)
def test_whom_a_refer_can_name(to: str, target: str) -> None:
    assert refer_target(to) == target


@pytest.mark.parametrize("to", ["", "desk", "mailto:a@b", "sip:", "http://x"])
def test_whom_it_can_not(to: str) -> None:
    with pytest.raises(ValueError, match="neither a number nor a URI"):
        refer_target(to)
