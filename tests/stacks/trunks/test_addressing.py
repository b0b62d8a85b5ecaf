from __future__ import annotations

import pytest

from telephony.stacks.trunk import CallerIdPolicy, NumberPolicy, Trunk
from telephony.stacks.trunks import addressing
from telephony.stacks.trunks.addressing import plan_of

HOP = "sip:192.0.2.7:5080"


def test_the_domain_is_the_trunks_else_that_of_its_server() -> None:
    assert addressing.domain_of(Trunk("t", (HOP,)), HOP) == "192.0.2.7:5080"
    assert addressing.domain_of(Trunk("t", (HOP,), domain="c.example"), HOP) == "c.example"
    behind = Trunk("t", ("sip:c.example",), outbound_proxy="sip:edge.example")
    assert addressing.domain_of(behind, "sip:edge.example") == "c.example"
    assert addressing.routes_of(behind) == ("<sip:edge.example;lr>",)
    assert addressing.routes_of(Trunk("t", (HOP,))) == ()
    assert addressing.host_of("sip:[2001:db8::1]:5060") == "[2001:db8::1]:5060"
    assert addressing.host_of("nonsense") == ""


def test_the_address_of_record_has_the_user() -> None:
    trunk = Trunk("t", (HOP,), domain="c.example", username="a b")
    assert addressing.address_of_record(trunk, HOP) == "sip:a%20b@c.example"
    assert addressing.address_of_record(Trunk("t", (HOP,)), HOP) == "sip:192.0.2.7:5080"


@pytest.mark.parametrize(
    ("policy", "number", "written"),
    [
        (NumberPolicy(), "+4930123456", "+4930123456"),
        (NumberPolicy(format="plain"), "+4930123456", "4930123456"),
        (NumberPolicy(region="DE", format="national"), "+4930123456", "030123456"),
        (NumberPolicy(region="DE"), "030 123456", "+4930123456"),
        (NumberPolicy(format="international"), "+4930123456", "004930123456"),
        (NumberPolicy(strip_prefix="+", add_prefix="77"), "+4930123456", "774930123456"),
        (NumberPolicy(), "100", "100"),
    ],
)
def test_numbers_are_written_as_the_trunk_wants(
    policy: NumberPolicy, number: str, written: str
) -> None:
    trunk = Trunk("t", (HOP,), numbers=policy)
    plan = plan_of(policy)
    assert addressing.trunk_number(trunk, plan, number) == written
    uri = f"sip:{written}@192.0.2.7:5080"
    assert addressing.request_uri(trunk, plan, number, HOP) == uri
    assert addressing.request_uri(trunk, plan, "sip:a@b.example", HOP) == "sip:a@b.example"


def headers(policy: CallerIdPolicy, number: str = "", name: str = "") -> tuple[str, str, list[str]]:
    trunk = Trunk("t", (HOP,), domain="c.example", username="u", caller_id=policy)
    shown, value, lines = addressing.caller_headers(
        trunk, plan_of(trunk.numbers), number, name, HOP
    )
    return shown, value, [f"{key}: {text}" for key, text in lines]


def test_who_is_shown() -> None:
    shown, value, lines = headers(CallerIdPolicy("+15550199", "Us"))
    assert (shown, lines) == ("+15550199", [])
    assert value.startswith('"Us" <sip:+15550199@c.example')
    shown, value, _ = headers(CallerIdPolicy("+15550199", "Us"), "+15550123", "Ann")
    assert shown == "+15550123"
    assert value.startswith('"Ann" <sip:+15550123@c.example')
    shown, value, _ = headers(CallerIdPolicy("+15550199", pass_through=False), "+15550123")
    assert shown == "+15550199"


def test_without_a_number_the_account_calls() -> None:
    shown, value, _ = headers(CallerIdPolicy())
    assert (shown, value) == ("", "<sip:u@c.example>")


def test_the_account_in_from_and_the_number_beside_it() -> None:
    policy = CallerIdPolicy("+15550199", 'A "B"', header="pai", from_user="username")
    _, value, (asserted,) = headers(policy)
    assert value == '"A \\"B\\"" <sip:u@c.example>'
    assert asserted.startswith("P-Asserted-Identity: ")
    assert "+15550199@c.example" in asserted


def test_a_withheld_number_is_not_in_from() -> None:
    policy = CallerIdPolicy("+15550199", header="pai", withheld=True, from_user="username")
    _, value, lines = headers(policy)
    assert "anonymous" in value
    assert "Privacy: id" in lines


@pytest.mark.parametrize(
    ("target", "dialable"),
    [
        ("+15550100", True),
        ("(555) 010-0", True),
        ("100", True),
        ("sip:alice@pbx.example", True),
        ("SIPS:alice@pbx.example", True),
        ("alice", False),
        ("sip:", False),
        ("", False),
    ],
)
def test_what_can_be_dialled(target: str, dialable: bool) -> None:
    assert addressing.is_dialable(target) is dialable
