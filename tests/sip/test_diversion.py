"""Who was called before."""

from __future__ import annotations

import pytest

from telephony.sip.diversion import Diversion, diverted_from
from tests.support.sip_headers import view

OTHER = ("Diversion", "<sip:300@h>;reason=unconditional")


def diversion(*values: str) -> Diversion | None:
    return diverted_from(view(*(("Diversion", value) for value in values)))


def history(*values: str) -> Diversion | None:
    return diverted_from(view(*(("History-Info", value) for value in values)))


def test_no_header_is_no_diversion() -> None:
    assert diverted_from(view()) is None


def test_the_topmost_diversion_is_the_last_and_counters_add_up() -> None:
    found = diversion(
        '"Sales" <sip:+15550102@h>;reason=user-busy;counter=2;screen=no, <tel:+15550101>',
        "<sip:+15550100@h>;counter=x",
    )
    assert found == Diversion("+15550102", "user-busy", 4)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<sip:200@h>", Diversion("200")),
        ("sip:200@h;reason=no-answer", Diversion("200", "no-answer")),
        ('<sip:200@h>;reason="no-answer"', Diversion("200", "no-answer")),
        ("<sip:200@h>;Reason=Follow-Me", Diversion("200", "follow-me")),
        ("<sip:200@h>;reason=<script>", Diversion("200")),
        ("<sip:200@h>;privacy=full;reason=away", Diversion("", "away", 1, withheld=True)),
        ("<sip:200@h>;privacy=name", Diversion("200")),
        ("<sip:200@h>;counter=0", Diversion("200")),
        ("<sip:200@h>;counter=100", Diversion("200")),
        ("<sip:200@h>;counter=99, <sip:1@h>", Diversion("200", counter=99)),
    ],
)
def test_diversion_parameters(value: str, expected: Diversion) -> None:
    assert diversion(value) == expected


@pytest.mark.parametrize("value", ["", "garbage", "<>;reason=x", "<sip:h>", "<sip:200@h", ",,;,"])
def test_malformed_diversions_are_ignored(value: str) -> None:
    assert diversion(value) is None
    assert diversion(value, "<sip:200@h>") in (Diversion("200"), None)
    assert diverted_from(view(("Diversion", value), OTHER)) == Diversion("300", "unconditional")


def test_history_info_with_mapping() -> None:
    found = history(
        "<sip:+15550100@h>;index=1",
        "<sip:+15550101@h;cause=302>;index=1.1;mp=1",
        "<sip:+15550101@10.0.0.1>;index=1.1.1;rc=1.1",
        "<sip:+15550102@h;cause=486>;index=1.2;mp=1.1",
        "<sip:bot@192.0.2.1>;index=1.2.1;rc=1.2",
    )
    assert found == Diversion("+15550101", "user-busy", 2)


def test_history_is_ordered_by_its_indices() -> None:
    found = history(
        "<sip:c@h;cause=408>;index=1.10;mp=1.9, <sip:b@h>;index=1.9;mp=1",
        "<sip:a@h>;index=1",
    )
    assert found == Diversion("b", "no-answer", 2)


def test_the_reason_stands_with_the_old_target() -> None:
    found = history(
        "<sip:200@h?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%22>;index=1",
        "<sip:300@h>;index=1.1;mp=1",
    )
    assert found == Diversion("200", "user-busy", 1)


def test_history_of_the_older_kind() -> None:
    found = history(
        "<sip:100@h>;index=1",
        "<sip:200@h?Reason=SIP%3Bcause%3D480&Privacy=history>;index=1.1",
        "<sip:300@h>;index=1.2",
    )
    assert found == Diversion("", "deflection", 1, withheld=True)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [(302, "unconditional"), (487, "deflection"), (503, "unavailable"), (404, "unknown")],
)
def test_causes(cause: int, reason: str) -> None:
    found = history("<sip:1@h>;index=1", f"<sip:2@h;cause={cause}>;index=1.1;mp=1")
    assert found == Diversion("1", reason)


def test_a_history_without_diversion_leaves_it_to_diversion() -> None:
    plain = ("History-Info", "<sip:1@h>;index=1, <sip:1@10.0.0.1>;index=1.1;rc=1")
    assert diverted_from(view(plain)) is None
    assert diverted_from(view(plain, OTHER)) == Diversion("300", "unconditional")
    told = ("History-Info", "<sip:1@h>;index=1, <sip:2@h>;index=1.1;mp=1")
    assert diverted_from(view(told, OTHER)) == Diversion("1")


@pytest.mark.parametrize(
    "values",
    [
        ["<sip:1@h>", "<sip:2@h>;index=1.1;mp=1"],
        ["<sip:1@h>;index=x", "<sip:2@h>;index=1.1;mp=1"],
        ["<sip:1@h>;index=1;mp=1"],
        ["<sip:1@h>;index=1", "<sip:2@h>;index=1.1;mp=7"],
        ["<sip:1@h>;index=1.99999", "<sip:2@h>;index=1.1;mp="],
        ["<sip:1@h>;index=" + "1." * 40 + "1"],
        ["<sip:1@h>;index=1,", "<sip:2@h;cause=9999>;index=1.1"],
        [">;<", "", ";index=1"],
    ],
)
def test_malformed_history_is_ignored(values: list[str]) -> None:
    assert history(*values) is None


def test_sizes_are_bounded() -> None:
    assert history(", ".join(["<sip:1@h>;index=1"] * 2000)) is None
    many = ", ".join(f"<sip:{n}@h>" for n in range(90))
    found = diversion(many)
    assert found is not None
    assert found.counter == 32
