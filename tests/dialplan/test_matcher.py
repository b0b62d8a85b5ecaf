from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.dialplan import CallFacts, ConnectModel, Dialplan, Reject, parse_dialplan
from telephony.dialplan.matcher import RuleIndex

TEXT = """
contexts:
  main:
    - name: spam
      when: {caller: "+1666*"}
      do: [reject: 603]
    - name: desk
      when: {called: ["+15550100", "+15550101"]}
      do: [answer, connect_model: desk]
    - name: partners
      when: {source: 192.0.2.0/24, headers: {X-Tenant: acme}}
      do: [connect_model: partners]
    - name: desk at night
      when: {called: "+15550102"}
      do: [reject: 480]
    - name: rest
      when: {called: "+1*"}
      do: [{reject: {status: 486, reason: Busy}}]
  inside:
    - name: all
      do: [reject: 404]
"""


@pytest.fixture(name="dialplan")
def _dialplan() -> Dialplan:
    return parse_dialplan([("main.yaml", TEXT)])


@pytest.mark.parametrize(
    ("call", "extension"),
    [
        (CallFacts("+15550100"), "desk"),
        (CallFacts("+1 (555) 0101"), "desk"),
        (CallFacts("+15550100", "+16661"), "spam"),
        (CallFacts("+15550102"), "desk at night"),
        (CallFacts("+15550102", "", "192.0.2.9", "", {"x-tenant": "acme"}), "partners"),
        (CallFacts("+15550109"), "rest"),
        (CallFacts("alice"), None),
    ],
)
def test_the_first_extension_that_matches_takes_the_call(
    dialplan: Dialplan, call: CallFacts, extension: str | None
) -> None:
    route = dialplan.route(call)
    assert (route and route.extension) == extension
    taken = [verdict.extension for verdict in dialplan.explain(call) if verdict.taken]
    assert taken == ([extension] if extension else [])


def test_a_route_carries_actions_place_and_agent(dialplan: Dialplan) -> None:
    route = dialplan.route(CallFacts("+15550100"))
    assert route is not None
    assert (route.context, route.file, route.line, route.agent) == ("main", "main.yaml", 7, "desk")
    assert route.actions[1] == ConnectModel("desk")
    busy = dialplan.route(CallFacts("+1"))
    assert busy is not None
    assert (busy.actions, busy.agent) == ((Reject(486, "Busy"),), None)


def test_explain_says_of_each_extension_why(dialplan: Dialplan) -> None:
    verdicts = dialplan.explain(CallFacts("+15550100", "+1777", "198.51.100.1"))
    assert [(v.extension, v.matched, v.taken, v.reason) for v in verdicts] == [
        ("spam", False, False, "caller +1777 is not +1666*"),
        ("desk", True, True, ""),
        (
            "partners",
            False,
            False,
            "source 198.51.100.1 is not in 192.0.2.0/24; "
            "the call has no header x-tenant (wanted acme)",
        ),
        ("desk at night", False, False, "called +15550100 is not +15550102"),
        ("rest", True, False, "its conditions hold, but desk comes first"),
    ]
    assert (verdicts[1].file, verdicts[1].line) == ("main.yaml", 7)


def test_contexts_are_apart(dialplan: Dialplan) -> None:
    route = dialplan.route(CallFacts("alice"), "inside")
    assert route is not None
    assert route.extension == "all"
    with pytest.raises(LocalProtocolError, match="no context 'other'"):
        dialplan.route(CallFacts("1"), "other")


def test_candidates_come_in_order(dialplan: Dialplan) -> None:
    index = RuleIndex(dialplan.contexts["main"])
    names = [extension.name for extension in index.candidates("+15550102")]
    assert names == ["spam", "partners", "desk at night", "rest"]
    assert [e.name for e in index.candidates("1")] == ["spam", "partners", "rest"]


def test_only_candidates_are_looked_at() -> None:
    rules = "".join(
        f'    - {{name: r{n}, when: {{called: "+1{n:04d}"}}, do: [reject: 404]}}\n'
        for n in range(500)
    )
    dialplan = parse_dialplan([("f", f"contexts:\n  main:\n{rules}")])
    index = RuleIndex(dialplan.contexts["main"])
    assert [e.name for e in index.candidates("+10007")] == ["r7"]
    route = dialplan.route(CallFacts("+10499"))
    assert route is not None
    assert route.extension == "r499"
