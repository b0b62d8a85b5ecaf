from __future__ import annotations

from typing import Any

import pytest

from telephony.base.interfaces import LegFacts
from telephony.realtime.hosted.incoming import IncomingCall
from telephony.stacks.hosted_facts import facts_of_hosted
from telephony.stacks.numbers import NumberPlan


def facts(*headers: tuple[str, str], trust: Any = ("from",), region: str | None = None) -> LegFacts:
    call = IncomingCall("realtime", "rtc_1", headers)
    return facts_of_hosted(call, "openai", NumberPlan(region=region), trust)


def test_the_headers_of_the_invite_tell_who_calls_whom() -> None:
    found = facts(
        ("From", '"Ann" <sip:+15550199@carrier.example>;tag=x'),
        ("To", "<sip:+15550100@sip.api.openai.com>"),
        ("Call-ID", "one@carrier.example"),
        ("Diversion", "<sip:+15550111@carrier.example>;reason=no-answer"),
        ("X-Queue", "sales"),
        ("X-Queue", "support"),
    )
    assert (found.caller, found.caller_name, found.called) == ("+15550199", "Ann", "+15550100")
    assert found.sip_call_id == "one@carrier.example"
    assert found.diverted_from == "+15550111"
    assert (found.trunk, found.transport, found.source_ip) == ("openai", "hosted", "")
    assert found.headers["x-queue"] == "sales"


def test_numbers_become_global_by_the_plan() -> None:
    found = facts(("From", "<sip:030123456@x>"), ("To", "<tel:030-654321>"), region="DE")
    assert (found.caller, found.called) == ("+4930123456", "+4930654321")


@pytest.mark.parametrize(
    ("trust", "caller"), [(("from",), "+15550199"), (("pai", "from"), "+15550177"), ((), "")]
)
def test_who_is_believed_about_the_caller(trust: tuple[str, ...], caller: str) -> None:
    found = facts(
        ("From", "<sip:+15550199@x>"), ("P-Asserted-Identity", "<sip:+15550177@x>"), trust=trust
    )
    assert found.caller == caller


def test_a_caller_who_is_withheld_is_nobody() -> None:
    found = facts(("From", "<sip:+15550199@x>"), ("Privacy", "id"))
    assert (found.caller, found.caller_name) == ("", "")


def test_compact_names_are_names() -> None:
    found = facts(("f", "<sip:+15550199@x>"), ("t", "<sip:100@x>"), ("i", "short"))
    assert (found.caller, found.called, found.sip_call_id) == ("+15550199", "100", "short")


@pytest.mark.parametrize(
    "value", ["", "<", '"open', "sip:", "<sip:a b@c>", "\x00\xff", "<sip:" + "9" * 8000 + "@x>"]
)
def test_junk_is_nobody(value: str) -> None:
    found = facts(("From", value), ("To", value), ("Diversion", value), ("History-Info", value))
    assert (found.caller, found.called, found.diverted_from) == ("", "", "")


def test_without_headers_the_id_of_the_call_stands_in() -> None:
    found = facts()
    assert (found.sip_call_id, found.caller, found.called) == ("rtc_1", "", "")
