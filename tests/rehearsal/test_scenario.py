from __future__ import annotations

from pathlib import Path

import pytest

from telephony.base.errors import ConfigError
from telephony.rehearsal.scenario import load_scenario, parse_scenario, shipped_scenario


def problems(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as error:
        parse_scenario(text, "s.yaml")
    return [(p.line, p.key, p.message) for p in error.value.problems]


@pytest.mark.parametrize("name", ["default", "mock"])
def test_shipped_scenarios_are_valid(name):
    assert shipped_scenario(name).name == name


def test_defaults():
    scenario = parse_scenario("name: x\nturns:\n  - {when: greeting, say: greeting}\n", "s.yaml")
    assert scenario.ears
    assert scenario.max_session_s == 3600.0
    assert scenario.pace.delta_ms == 100
    assert scenario.turns[0].say == ("greeting",)
    assert scenario.turns[0].call == ()


def test_one_call_needs_no_list():
    text = "name: x\nturns:\n  - {when: any, call: {name: hangup}}\n"
    assert parse_scenario(text, "s.yaml").turns[0].call[0].name == "hangup"


def test_every_mistake_is_reported_with_its_place():
    found = problems(
        "name: x\n"
        "foo: 1\n"
        "pace: {speeed: 2}\n"
        "turns:\n"
        "  - when: greting\n"
        "    say: greeting\n"
        "  - when: {turn: 0}\n"
        "  - when: {heard: yes, turn: 2}\n"
        "    faults: {drop_after_ms: -1}\n"
    )
    assert [(line, key) for line, key, _ in found] == [
        (2, "foo"),
        (3, "pace.speeed"),
        (5, "turns[0].when"),
        (7, "turns[1].when.turn"),
        (8, "turns[2].when.heard"),
        (9, "turns[2].faults.drop_after_ms"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "keys with values are expected here"),
        ("[]", "keys with values are expected here"),
        ("name: x\nturns: []\n", "a scenario needs at least one turn"),
        (
            "name: x\nturns:\n  - {when: {turn: 1, tool: x}}\n",
            "give exactly one of turn, heard, dtmf, text, tool",
        ),
        (
            "name: x\nturns:\n  - {when: any, say: nothing_like_it}\n",
            "there is no prompt 'nothing_like_it'",
        ),
    ],
)
def test_messages(text, message):
    assert problems(text)[0][2] == message


def test_broken_yaml_is_one_problem():
    assert len(problems("name: [\n")) == 1


def test_the_remedy_names_the_nearest_prompt():
    with pytest.raises(ConfigError, match="did you mean greeting"):
        parse_scenario("name: x\nturns:\n  - {when: any, say: greetin}\n", "s.yaml")


def test_a_missing_file_is_a_problem(tmp_path: Path):
    with pytest.raises(ConfigError, match="No such file"):
        load_scenario(tmp_path / "none.yaml")
