from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.agents import LoadedAgent, load_agent
from telephony.app.settings import Settings
from telephony.calls.agent import Agent
from telephony.calls.handoff import Handoff
from telephony.realtime.approvals import ProviderApprovals
from telephony.realtime.tool_limits import ToolLimits
from tests.support.models import config_of

ENVIRON = {"CRM_TOKEN": "t0ken"}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str, settings: Settings | None = None) -> LoadedAgent:
    Path("bot.yaml").write_text(text, encoding="utf-8")
    return load_agent(Path("bot.yaml"), settings or Settings(), ENVIRON)


def good(text: str, settings: Settings | None = None) -> Agent:
    loaded = load("base_url: rehearsal\n" + text, settings)
    assert loaded.problems == ()
    assert loaded.agent is not None
    return loaded.agent


def problems(text: str) -> list[str]:
    """Return the mistakes; the text begins in line 2."""
    loaded = load("base_url: rehearsal\n" + text)
    assert loaded.agent is None
    return [str(problem).replace("\n    fix: ", " | ") for problem in loaded.problems]


def test_variables_and_texts() -> None:
    agent = good(
        "instructions: It is {{now}}, {{ weekday }}, in {{shop}}. Say {{caller_name}}.\n"
        "greeting: 'Greet {{caller}} on {{called}} ({{call_id}}).'\n"
        "variables: {shop: main, order: }\n"
        "time_zone: Europe/Berlin\n"
    )
    assert agent.variables == {"shop": "main", "order": ""}
    assert agent.time_zone == "Europe/Berlin"


def test_the_time_zone_of_the_settings() -> None:
    settings = Settings.model_validate({"agents": {"time_zone": "Asia/Tokyo"}})
    assert good("", settings).time_zone == "Asia/Tokyo"
    assert good("").time_zone == "UTC"


def test_names_without_a_value_are_found_in_their_line() -> None:
    text = "instructions: |\n  One\n\n  two {{caler}}\ngreeting: Hi {{order}} {{x y}}\n"
    assert problems(text) == [
        "bot.yaml:5:1: instructions: there is no value 'caler' | did you mean caller?",
        "bot.yaml:6:11: greeting: {{ is not followed by a name and }} | "
        r"write {{name}}, or \{{ for two braces that are meant",
    ]
    [problem] = problems("instructions: >\n  One {{nam}}\nvariables: {name: x}\n")
    assert problem == "bot.yaml:3:1: instructions: there is no value 'nam' | did you mean name?"


def test_the_language_has_a_value_where_there_are_languages() -> None:
    [problem] = problems("instructions: Speak {{language}}.\n")
    assert "there is no value 'language'" in problem
    assert good("instructions: Speak {{language}}.\nlanguages: {en: {}}\n").languages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("variables: {now: x}\n", "every call has a value 'now' already | choose another name"),
        ("variables: {a-b: x}\n", "no name for a variable"),
        ("variables: {a: 1}\n", "put it in quotes"),
        ("time_zone: Europe/Berln\n", "no time zone | did you mean Europe/Berlin?"),
        ("time_zone: ''\n", "no time zone | write a name such as Europe/Berlin, or UTC"),
        ("time_zone: Europe\n", "no time zone"),
        ("time_zone: ../../etc/passwd\n", "no time zone"),
        ("tool_limits: {max_calls: 0}\n", "greater than or equal to 1"),
        ("tool_limits: {max_call: 9}\n", "did you mean max_calls?"),
        ("approve: {crm: yes}\n", "always"),
        ("handoffs: {billing: {agnt: x}}\n", "did you mean agent?"),
        ("languages: {english: {}}\n", "no language tag | write es"),
    ],
)
def test_mistakes(text: str, expected: str) -> None:
    [problem] = problems(text)
    assert problem.startswith("bot.yaml:2:")
    assert expected in problem


def test_limits_approvals_and_handoffs() -> None:
    agent = good(
        "tool_limits: {max_calls: 9, max_repeats: 2, max_rounds: 4}\n"
        "approve: {crm: always, crm.delete: never}\n"
        "handoffs:\n  billing: {agent: billing-bot, description: Invoices.}\n  sales:\n"
    )
    assert agent.tool_limits == ToolLimits(9, 2, 4)
    assert agent.provider_approvals == ProviderApprovals((("crm", True), ("crm.delete", False)))
    assert agent.handoffs == {
        "billing": Handoff("billing-bot", "Invoices."),
        "sales": Handoff("sales"),
    }


def test_an_agent_in_several_languages() -> None:
    agent = good(
        "voice: marin\n"
        "session: {transcription: {model: gpt-transcribe}, speed: 1.1}\n"
        "languages:\n"
        "  en: {}\n"
        "  es:\n"
        "    voice: coral\n"
        "    instructions_suffix: Habla {{language}}.\n"
        "    session: {speed: 0.9, turn_detection: {type: semantic_vad}}\n"
        "  pt-BR: {session: {transcription: {languages: [pt, es]}}}\n"
    )
    english, spanish, portuguese = (agent.in_language(tag) for tag in agent.languages)
    assert config_of(english).voice == "marin"
    assert config_of(english).transcription.language == "en"  # type: ignore[union-attr]
    assert config_of(spanish).voice == "coral"
    assert config_of(spanish).speed == 0.9
    transcription = config_of(spanish).transcription
    assert transcription is not None
    assert (transcription.model, transcription.language) == ("gpt-transcribe", "es")
    assert spanish.instructions == "Habla {{language}}."
    assert config_of(portuguese).transcription.languages == ("pt", "es")  # type: ignore[union-attr]
    assert agent.language == ""


def test_models_that_take_over_speak_the_language_too() -> None:
    agent = good(
        "fallback: [{base_url: rehearsal, voice: alloy}]\nlanguages: {es: {voice: coral}}\n"
    )
    spanish = agent.in_language("es")
    assert len(spanish.fallbacks) == 1
    assert spanish.fallbacks[0].base_url == "rehearsal"


def test_mistakes_in_languages() -> None:
    text = (
        "languages:\n  en: {voice: marin}\n  es: {voice: marn, session: {sped: 1}, "
        "instructions_suffix: '{{nme}}'}\n"
    )
    found = problems(text)
    assert len(found) == 3
    assert all(problem.startswith("bot.yaml:4:") for problem in found)
    assert "there is no value 'nme'" in found[2]
    assert any("languages.es.voice" in problem and "marin" in problem for problem in found)
    assert any("languages.es.session.sped" in problem for problem in found)
