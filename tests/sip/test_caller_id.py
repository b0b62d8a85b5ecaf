"""Who calls: reading and writing."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.caller_id import Caller, CallerIdPolicy, asserted_identity, caller_id_headers
from tests.support.sip_headers import view

FROM = ("From", '"Alice" <sip:100@pbx>;tag=1')
ANONYMOUS = ("From", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1')
PAI = ("P-Asserted-Identity", '"Bob" <sip:+15550100@carrier;user=phone>')
RPID = ("Remote-Party-ID", '"Carol" <sip:+15550111@carrier>;party=calling;screen=yes')


def test_the_first_trusted_header_that_names_somebody_counts() -> None:
    headers = view(FROM, PAI, RPID)
    assert asserted_identity(headers) == Caller("+15550100", "Bob")
    assert asserted_identity(headers, ("rpid", "pai")) == Caller("+15550111", "Carol")
    assert asserted_identity(headers, ("from",)) == Caller("100", "Alice")
    assert asserted_identity(view(FROM), ("pai", "from")) == Caller("100", "Alice")


def test_a_stranger_asserts_nothing() -> None:
    assert asserted_identity(view(FROM, PAI, RPID), ("from",)).number == "100"
    assert asserted_identity(view(FROM, PAI), ()) == Caller()


@pytest.mark.parametrize(
    "values",
    [
        ['"Bob" <sip:bob@h>', "<tel:+15550100>"],
        ['<tel:+15550100>, "Bob" <sip:bob@h>'],
        ['"Bob" <sip:555@h>, <sip:+1-555-0100@h;user=phone>'],
        ["tel:+1-555-0100", '"Bob" <sip:bob@h>'],
        ["garbage", '"Bob" <>', '"Bob" <sip:+15550100@h>'],
    ],
)
def test_several_values_are_one_caller(values: list[str]) -> None:
    headers = view(*(("P-Asserted-Identity", value) for value in values))
    assert asserted_identity(headers) == Caller("+15550100", "Bob")


def test_a_local_number_comes_before_a_name() -> None:
    headers = view(("P-Asserted-Identity", "<sip:bob@h>, <sip:200@h>"))
    assert asserted_identity(headers) == Caller("200")
    assert asserted_identity(view(("P-Asserted-Identity", "<sip:bob@h>"))) == Caller("bob")


@pytest.mark.parametrize(
    ("privacy", "withheld"),
    [
        ("id", True),
        ("ID;critical", True),
        ("header", True),
        ("user", True),
        ("none", False),
        ("session", False),
        ("critical", False),
        ("none, id", True),
        ("", False),
        ("idle", False),
    ],
)
def test_privacy(privacy: str, withheld: bool) -> None:
    caller = asserted_identity(view(ANONYMOUS if withheld else FROM, PAI, ("Privacy", privacy)))
    assert caller == Caller("+15550100", "Bob", withheld)


def test_an_anonymous_from_withholds_what_the_network_asserts() -> None:
    assert asserted_identity(view(ANONYMOUS)) == Caller(withheld=True)
    assert asserted_identity(view(ANONYMOUS, PAI)) == Caller("+15550100", "Bob", True)
    restricted = view(("From", "<sip:Restricted@192.0.2.1>;tag=1"))
    assert asserted_identity(restricted) == Caller(withheld=True)


def test_an_unknown_number_is_not_withheld() -> None:
    headers = view(("From", '"Unavailable" <sip:unavailable@unknown.invalid>;tag=1'))
    assert asserted_identity(headers) == Caller("", "Unavailable")


@pytest.mark.parametrize(
    ("parameters", "withheld"),
    [
        ("", False),
        (";privacy=off", False),
        (";privacy=full", True),
        (";privacy=name", True),
        (";PRIVACY=uri", True),
        (';privacy="full"', True),
        (";privacy=none", False),
    ],
)
def test_remote_party_privacy(parameters: str, withheld: bool) -> None:
    headers = view(FROM, ("Remote-Party-ID", f"<sip:+15550111@h>{parameters}"))
    assert asserted_identity(headers, ("rpid",)) == Caller("+15550111", "", withheld)


def test_remote_party_id_of_the_called_is_not_the_caller() -> None:
    headers = view(("Remote-Party-ID", "<sip:200@h>;party=called, <sip:201@h>;party=calling"))
    assert asserted_identity(headers) == Caller("201")
    assert asserted_identity(view(("Remote-Party-ID", "<sip:200@h>;party=called"))) == Caller()


def test_sizes_are_bounded() -> None:
    assert asserted_identity(view(("From", f"<sip:{'1' * 3000}@h>"))) == Caller()
    caller = asserted_identity(view(("From", f'"{"n" * 500}" <sip:1@h>')))
    assert caller == Caller("1", "n" * 128)


@pytest.mark.parametrize(
    ("policy", "withheld", "sender", "headers"),
    [
        ("from", False, '"Bot" <sip:+15550100@example.org;user=phone>', []),
        (
            "from",
            True,
            '"Anonymous" <sip:anonymous@anonymous.invalid>',
            [("Privacy", "id")],
        ),
        (
            "pai",
            False,
            '"Bot" <sip:+15550100@example.org;user=phone>',
            [("P-Asserted-Identity", '"Bot" <sip:+15550100@example.org;user=phone>')],
        ),
        (
            "pai",
            True,
            '"Anonymous" <sip:anonymous@anonymous.invalid>',
            [
                ("P-Asserted-Identity", '"Bot" <sip:+15550100@example.org;user=phone>'),
                ("Privacy", "id"),
            ],
        ),
        (
            "rpid",
            True,
            '"Anonymous" <sip:anonymous@anonymous.invalid>',
            [
                (
                    "Remote-Party-ID",
                    '"Bot" <sip:+15550100@example.org;user=phone>;party=calling;screen=yes;'
                    "privacy=full",
                ),
                ("Privacy", "id"),
            ],
        ),
        ("none", False, '"Anonymous" <sip:anonymous@anonymous.invalid>', []),
    ],
)
def test_write(
    policy: CallerIdPolicy, withheld: bool, sender: str, headers: list[tuple[str, str]]
) -> None:
    written = caller_id_headers("+15550100", "Bot", policy, withheld, "example.org")
    assert written == (sender, headers)


@pytest.mark.parametrize("policy", ["pai", "rpid"])
@pytest.mark.parametrize("withheld", [False, True])
@pytest.mark.parametrize("display", ["", 'Bot "the" \\ bot', "Ünï, <sip:x>;y"])
def test_what_is_written_reads_back(policy: CallerIdPolicy, withheld: bool, display: str) -> None:
    sender, headers = caller_id_headers("+15550100", display, policy, withheld, "[::1]:5062")
    caller = asserted_identity(view(("From", f"{sender};tag=1"), *headers))
    assert caller == Caller("+15550100", display, withheld)


def test_nothing_is_injected() -> None:
    sender, headers = caller_id_headers("1\r\nVia: x>", "n\r\nVia: y", "pai", False, "h")
    assert sender == '"nVia: y" <sip:1%0D%0AVia%3A%20x%3E@h>'
    assert all("\n" not in value for _, value in headers)
    with pytest.raises(LocalProtocolError):
        caller_id_headers("1", "", "from", False, "h\r\nVia: z")


def test_no_number_is_anonymous() -> None:
    assert caller_id_headers("", "Bot", "pai", False, "h") == (
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        [],
    )
