from __future__ import annotations

import pytest

from telephony.realtime.linear_regex import Window
from tests.app.test_agent_conduct import _here, good, problems

__all__ = ["_here"]

FUNCTION = "tests.support.guardrail_functions:about_politics"


def rules(*items: str, more: str = "") -> str:
    lines = "".join(f"    - {item}\n" for item in items)
    return f"guardrails:\n  rules:\n{lines}{more}"


def test_rules_of_every_kind() -> None:
    agent = good(
        rules(
            "{name: refund, side: output, phrases: [full refund], tell: No refunds.}",
            "{name: card, side: input, regex: '\\d{4} \\d{4}', action: transfer, transfer: sales}",
            f"{{name: topic, side: output, function: '{FUNCTION}'}}",
            more="  max_trips: 1\n  then: transfer\n  transfer: sales\n  check_every: 50\n",
        )
        + "transfers: {sales: {to: '+15550120'}}\n"
    )
    refund, card, topic = agent.guardrails.rules
    assert refund.phrases == (("full", "refund"),)
    assert refund.message == "No refunds."
    assert card.pattern is not None
    assert card.pattern.found_in(Window("1234 5678", 0, 9))
    assert (card.remedy, card.transfer_to) == ("transfer", "sales")
    assert topic.function is not None
    assert (agent.guardrails.max_trips, agent.guardrails.check_every) == (1, 50)
    assert agent.guardrails.transfer_to == "sales"


def test_without_rules_there_are_none() -> None:
    assert good("").guardrails.rules == ()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("{name: a, side: output}", "write exactly one of phrases, regex, function"),
        ("{name: a, side: output, phrases: [x], regex: x}", "not for phrases and regex"),
        ("{name: a, side: both, phrases: [x]}", "side"),
        ("{name: a b, side: input, phrases: [x]}", "no name for a rule"),
        ("{name: a, side: input, phrases: ['...']}", "there is no word in '...'"),
        ("{name: a, side: input, phrases: []}", "this is empty"),
        ("{name: a, side: input, regex: '(a'}", "missing ), unterminated"),
        ("{name: a, side: input, regex: 'a(?!b)'}", "a condition on what may not follow"),
        ("{name: a, side: output, regex: 'x*'}", "it is found in everything that is said"),
        ("{name: a, side: output, regex: 'refund|'}", "it is found in everything that is said"),
        ("{name: a, side: input, function: nothing}", "write package.module:function"),
        (
            "{name: a, side: input, function: 'tests.support.guardrail_functions:takes_nothing'}",
            "does not take the text",
        ),
        ("{name: a, side: output, phrases: [x], action: hangup}", "is cut off and corrected"),
        ("{name: a, side: input, phrases: [x], action: transfer}", "it is not said where to"),
        (
            "{name: a, side: input, phrases: [x], action: transfer, transfer: nobody}",
            "there is no transfer 'nobody'",
        ),
        ("{name: a, side: input, phrases: [x], transfer: b}", "nobody is transferred here"),
    ],
)
def test_mistakes(rule: str, expected: str) -> None:
    [problem] = problems(rules(rule))
    assert problem.startswith("bot.yaml:4:")
    assert expected in problem


@pytest.mark.parametrize("regex", ["^x*$", "^$", "^[^q]*$", "x*y", r"\\bno\\b|never"])
def test_a_regex_that_may_be_empty_but_is_not_found_everywhere(regex: str) -> None:
    [rule] = good(rules(f'{{name: a, side: output, regex: "{regex}"}}')).guardrails.rules
    assert rule.pattern is not None


def test_mistakes_of_the_section() -> None:
    same = "{name: a, side: input, phrases: [x]}"
    [problem] = problems(rules(same, same))
    assert "two rules named 'a'" in problem
    [problem] = problems("guardrails: {then: transfer}\n")
    assert "it is not said where to" in problem
    [problem] = problems("guardrails: {max_trip: 1}\n")
    assert "did you mean max_trips?" in problem
