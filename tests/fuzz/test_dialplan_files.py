"""A dialplan file is a Dialplan or a ConfigError with places, whatever is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.errors import ConfigError
from telephony.dialplan import CallFacts, Dialplan, parse_dialplan
from telephony.dialplan.patterns import number_pattern, text_pattern
from telephony.dialplan.regexes import compile_regex

SHIPPED = (Path(__file__).parents[2] / "dialplans" / "main.yaml").read_text(encoding="utf-8")
SAMPLE = SHIPPED[SHIPPED.index("contexts:") :].replace("    # ", "    ")

scalars = st.none() | st.booleans() | st.integers(-9, 700) | st.floats(0, 9)
texts = st.sampled_from(
    ["main", "answer", "play", "hangup", "+1555", "+1*", "~^(a+)+", "~[", "10.0.0.0/8", "", "\n"]
)
keys = st.sampled_from(
    ["contexts", "main", "name", "when", "do", "called", "source", "headers", "reject", "status"]
)
data = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
extensions = st.fixed_dictionaries(
    {"name": texts, "do": st.lists(data, max_size=3)}, optional={"when": data, "x": data}
)


def parse(text: str) -> Dialplan | None:
    try:
        return parse_dialplan([("d.yaml", text)], agents=["a"])
    except ConfigError as error:
        problems = error.problems
    assert problems
    assert all(problem.file == "d.yaml" and problem.message for problem in problems)
    return None


@given(data)
def test_any_data(value: Any) -> None:
    parse(yaml.safe_dump(value))


@given(st.lists(extensions, max_size=4))
@settings(max_examples=200)
def test_any_extensions(value: Any) -> None:
    dialplan = parse(yaml.safe_dump({"contexts": {"main": value}}))
    if dialplan is not None:
        dialplan.explain(CallFacts("+15550100", "+1", "10.0.0.1", "t", {"X": "y"}))


def test_every_prefix_and_every_dropped_character() -> None:
    for end in range(len(SAMPLE)):
        parse(SAMPLE[:end])
        parse(SAMPLE[:end] + SAMPLE[end + 1 :])


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=200)
def test_any_call(called: str, header: str) -> None:
    text = """
contexts:
  main:
    - {name: a, when: {called: "~^[0-9]+$"}, do: [reject: 404]}
    - {name: b, when: {headers: {X: "v*"}}, do: [reject: 404]}
"""
    dialplan = parse(text)
    assert dialplan is not None
    call = CallFacts(called, header, header, called, {header: called})
    route = dialplan.route(call)
    taken = [verdict.extension for verdict in dialplan.explain(call) if verdict.taken]
    assert taken == ([route.extension] if route else [])


@given(st.text(alphabet="01X*+#~^$.()[]{}?|\\,a-_ N!xd<>:P=", max_size=16), st.text(max_size=12))
@settings(max_examples=300)
def test_any_pattern(text: str, value: str) -> None:
    for compile_text in (number_pattern, text_pattern):
        try:
            pattern = compile_text(text)
        except ValueError:
            continue
        pattern.matches(value)


@given(st.text(alphabet="a+*?(){}|[],2:\\^$", max_size=14))
@settings(max_examples=300)
def test_no_accepted_regex_runs_away(source: str) -> None:
    # A regex that runs away on 128 characters would not come back before the test's time limit.
    try:
        pattern = compile_regex(source)
    except ValueError:
        return
    for value in ("a" * 127 + "b", "a" * 128, "2" * 128):
        re.search(pattern, value)
