from __future__ import annotations

from ipaddress import ip_network

import pytest

from telephony.dialplan.model import (
    CallFacts,
    Condition,
    Extension,
    SourceCondition,
    Subjects,
    TextCondition,
)
from telephony.dialplan.patterns import number_pattern, text_pattern


def called(*patterns: str) -> TextCondition:
    return TextCondition("called", tuple(map(number_pattern, patterns)))


def header(name: str, *patterns: str) -> TextCondition:
    return TextCondition(f"header {name}", tuple(map(text_pattern, patterns)))


def source(*networks: str) -> SourceCondition:
    return SourceCondition(tuple(map(ip_network, networks)))


def extension(*conditions: Condition) -> Extension:
    return Extension("x", conditions, (), "f", 1)


def test_subjects_normalise_numbers_and_header_names() -> None:
    subjects = Subjects.of(CallFacts("+1 555", "(1)", "192.0.2.7", "carrier", {"X-A": "B"}))
    assert subjects.values == {
        "called": "+1555",
        "caller": "1",
        "trunk": "carrier",
        "header x-a": "B",
    }
    assert subjects.source_version == 4
    assert "trunk" not in Subjects.of(CallFacts("1")).values


@pytest.mark.parametrize(
    ("address", "network", "inside"),
    [
        ("192.0.2.7", "192.0.2.0/24", True),
        ("192.0.3.7", "192.0.2.0/24", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("::ffff:192.0.2.7", "192.0.2.0/24", True),
        ("2001:db8::1", "2001:db8::/32", True),
        ("fe80::1%eth0", "fe80::/10", True),
        ("192.0.2.7", "::/0", False),
        ("::1", "0.0.0.0/0", False),
        ("", "0.0.0.0/0", False),
        ("not an address", "0.0.0.0/0", False),
    ],
)
def test_sources(address: str, network: str, inside: bool) -> None:
    assert source(network).holds(Subjects.of(CallFacts("1", "", address))) is inside


def test_every_condition_must_hold_and_any_pattern_of_one() -> None:
    rule = extension(called("1", "2"), header("x-a", "y*"))
    assert rule.takes(Subjects.of(CallFacts("2", headers={"x-A": "yes"})))
    assert not rule.takes(Subjects.of(CallFacts("3", headers={"x-A": "yes"})))
    assert not rule.takes(Subjects.of(CallFacts("2", headers={"x-A": "no"})))
    assert not rule.takes(Subjects.of(CallFacts("2")))
    assert extension().takes(Subjects.of(CallFacts("")))


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (called("+1666", "+1777*"), "called +1555 is not +1666 or +1777*"),
        (called("1555"), "called +1555 is not 1555 (the leading + counts)"),
        (header("x-a", "y"), "the call has no header x-a (wanted y)"),
        (header("x-b", "y"), "header x-b (empty) is not y"),
        (TextCondition("trunk", (text_pattern("a"),)), "the call has no trunk (wanted a)"),
        (source("192.0.2.0/24", "::/0"), "source 198.51.100.1 is not in 192.0.2.0/24 or ::/0"),
    ],
)
def test_why_not(condition: Condition, why: str) -> None:
    subjects = Subjects.of(CallFacts("+1555", source_ip="198.51.100.1", headers={"X-B": ""}))
    assert not condition.holds(subjects)
    assert condition.why_not(subjects) == why


def test_why_not_of_sources_without_address_and_of_ipv6() -> None:
    condition = source("192.0.2.0/24")
    assert "has no source address" in condition.why_not(Subjects.of(CallFacts("1")))
    assert "source ::1 is" in condition.why_not(Subjects.of(CallFacts("1", source_ip="::1")))


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ((), (), True),
        ((), (called("1"),), True),
        ((called("1"),), (), False),
        ((called("*"),), (), True),
        ((header("x-a", "*"),), (), False),
        ((called("1", "2"),), (called("2"),), True),
        ((called("1"),), (called("1", "2"),), False),
        ((called("1*"),), (called("1X"), source("::1")), True),
        ((called("1*"), source("::1")), (called("1X"),), False),
        ((source("10.0.0.0/8", "::/0"),), (source("10.1.0.0/16", "::1"),), True),
        ((source("10.1.0.0/16"),), (source("10.0.0.0/8"),), False),
        ((source("0.0.0.0/0"),), (source("::1"),), False),
        ((source("::/0"),), (called("1"),), False),
        ((header("x-a", "*"),), (header("x-a", "v"),), True),
        ((header("x-a", "*"),), (header("x-b", "v"),), False),
    ],
)
def test_covers(wide: tuple[Condition, ...], narrow: tuple[Condition, ...], expected: bool) -> None:
    assert extension(*wide).covers(extension(*narrow).by_subject()) is expected


def test_exact_called() -> None:
    assert extension(called("1", "+1-2")).exact_called() == ("1", "+12")
    assert extension(called("1", "2*")).exact_called() is None
    assert extension(header("called", "1")).exact_called() is None
