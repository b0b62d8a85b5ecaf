from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from telephony.calls.destination import Destination
from telephony.calls.hosted_plan import (
    brief_of,
    refer_target,
    surface_of,
    transfers_of,
    unheeded,
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
    assert surface_of(openai_agent()) == "realtime"
    assert surface_of(elsewhere("openai_live")) == "live"
    assert surface_of(elsewhere("cascade")) is None
    assert "whose API is cascade" in why_no_agent(elsewhere("cascade"))


def test_the_model_is_given_the_tools_that_need_no_audio() -> None:
    def weather() -> str:
        """Tell the weather."""
        return "sunny"

    agent = openai_agent(
        instructions="Be kind.",
        tools=ToolRegistry([weather]),
        can_send_digits=True,
        recording_tools=("pause_recording",),
        transfers={
            "sales": Destination("+15550123"),
            "boss": Destination("+15550124", mode="attended"),
        },
    )
    brief = brief_of(agent)
    assert brief.instructions == "Be kind."
    assert [tool.name for tool in brief.tools] == ["weather", "hangup", "transfer"]
    choice = brief.tools[2].parameters["properties"]["destination"]
    assert choice["enum"] == ["sales"]
    assert list(transfers_of(agent)) == ["sales"]
    assert list(unheeded(agent)) == [
        "attended transfers (boss)",
        "pause_recording",
        "send_digits",
    ]


def test_only_a_live_model_can_press_keys() -> None:
    live = replace(elsewhere("openai_live"), can_send_digits=True)
    assert [tool.name for tool in brief_of(live).tools] == ["hangup", "send_digits"]
    assert list(unheeded(live)) == []


def test_tools_of_the_users_own_take_our_names() -> None:
    def transfer() -> str:
        """Mine."""
        return ""

    agent = openai_agent(
        tools=ToolRegistry([transfer]),
        transfers={"sales": Destination("+15550123")},
        can_hang_up=False,
    )
    assert transfers_of(agent) == {}
    assert [tool.name for tool in brief_of(agent).tools] == ["transfer"]
    assert list(unheeded(openai_agent())) == []


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
