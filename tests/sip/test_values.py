"""Header values as peers write them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from telephony.sip.values import (
    NameAddress,
    ViaValue,
    bare_host,
    bracketed_host,
    is_numeric,
    is_private,
    looks_like_via,
    printable,
    read_address,
    read_number,
    read_parameters,
    read_tag,
    read_uri,
    read_via,
    split_list,
    stamp_via,
    uri_scheme,
)
from tests.support.growth import grows_linearly


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("a", ["a"]),
        ("a, b ,c", ["a", "b", "c"]),
        ('"x, y" <sip:a@b>, <sip:c,d@e>;p="1,2"', ['"x, y" <sip:a@b>', '<sip:c,d@e>;p="1,2"']),
        (r'"a\",b" <sip:a@b>,c', [r'"a\",b" <sip:a@b>', "c"]),
        ('<sip:"a,b>,c', ['<sip:"a,b>', "c"]),
        (",,", []),
        ('"open, quote', ['"open, quote']),
    ],
)
def test_split_list(value: str, items: list[str]) -> None:
    assert split_list(value) == items


def test_read_via() -> None:
    via = read_via(" SIP / 2.0 / udp  Host.example : 5070 ;Branch=z9hG4bK+a ;rport; x=y")
    assert via is not None
    assert (via.transport, via.host, via.port) == ("UDP", "Host.example", 5070)
    assert (via.branch, via.rport, via.sent_by) == ("z9hG4bK+a", True, "host.example:5070")
    plain = read_via("SIP/2.0/TCP [2001:db8::1]")
    assert plain is not None
    assert (plain.host, plain.port, plain.branch, plain.rport) == ("[2001:db8::1]", None, "", False)


@pytest.mark.parametrize(
    "value", ["", "SIP/2.0/UDP", "SIP/3.0/UDP h", "SIP/2.0/UDP h:0", "SIP/2.0/UDP h:99999", "h;x"]
)
def test_what_is_no_via(value: str) -> None:
    assert read_via(value) is None


@pytest.mark.parametrize(
    ("value", "stamped"),
    [
        ("SIP/2.0/UDP 192.0.2.1:5060;branch=b", "SIP/2.0/UDP 192.0.2.1:5060;branch=b"),
        (
            "SIP/2.0/UDP 192.0.2.1;rport;branch=b",
            "SIP/2.0/UDP 192.0.2.1;branch=b;rport=4000;received=192.0.2.1",
        ),
        ("SIP/2.0/UDP 10.0.0.1;branch=b", "SIP/2.0/UDP 10.0.0.1;branch=b;received=192.0.2.1"),
        (
            "SIP/2.0/UDP h;received=1.1.1.1;rport=9;branch=b",
            "SIP/2.0/UDP h;branch=b;rport=4000;received=192.0.2.1",
        ),
        ("SIP/2.0/UDP h;rportx=1;branch=b", "SIP/2.0/UDP h;rportx=1;branch=b;received=192.0.2.1"),
    ],
)
def test_stamp_via(value: str, stamped: str) -> None:
    via = read_via(value)
    assert via is not None
    assert stamp_via(via, "192.0.2.1", 4000) == stamped


@pytest.mark.parametrize("tail", ["x y", "x;rport=", ""])
@pytest.mark.parametrize("middle", [";rport=", ";rport", ";", ";received=", ";rport ="])
def test_blanks_in_a_via_take_no_quadratic_time(middle: str, tail: str) -> None:
    def read(size: int) -> Callable[[], object]:
        via = ViaValue(f"SIP/2.0/UDP h{middle}{' ' * size}{tail}", "UDP", "h", None, "b", True)
        return partial(stamp_via, via, "192.0.2.1", 4000)

    assert grows_linearly(read)


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("<sip:a@b>;tag=x+y%41", "x+y%41"),
        ("<sip:a@b;tag=inside>", ""),
        ('"a;tag=no" <sip:a@b> ; TAG = yes;x=1', "yes"),
        ("sip:a@b;tag=bare", "bare"),
        ("<sip:a@b>", ""),
    ],
)
def test_read_tag(value: str, tag: str) -> None:
    assert read_tag(value) == tag


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sip:a@b;tag=1", NameAddress("", "sip:a@b")),
        ("<sip:a@b;x=y>;tag=1", NameAddress("", "sip:a@b;x=y")),
        ('"A \\"B\\" <C>" <sip:a@b>', NameAddress('A "B" <C>', "sip:a@b")),
        ("Some (odd) Name <sip:a@b>", NameAddress("Some (odd) Name", "sip:a@b")),
        ("<sip:a@b", None),
        ("<>", None),
        ("", None),
        ("<sip:a b@c>", None),
    ],
)
def test_read_address(value: str, expected: NameAddress | None) -> None:
    assert read_address(value) == expected


@pytest.mark.parametrize(
    ("text", "host", "port", "user"),
    [
        ("sip:a@b.example:5070;transport=tcp", "b.example", 5070, "a"),
        ("sip:pbx1", "pbx1", None, None),
        ("sip:*55#@bot_1:5060;self=1", "bot_1", 5060, "*55#"),
        ("SIP:a@b", "b", None, "a"),
        ("sips:a:secret@[::1]:5061", "[::1]", 5061, "a"),
        ("sip:a@b?Replaces=x", "b", None, "a"),
        ("tel:+15550100", "", None, "+15550100"),
    ],
)
def test_read_uri(text: str, host: str, port: int | None, user: str | None) -> None:
    uri = read_uri(text)
    assert uri is not None
    assert (uri.host, uri.port, uri.user) == (host, port, user)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "http://a",
        "sip:a@b:70000",
        "sip:a@b:0",
        "sip:a@b c",
        "sip:a@b\n",
        "sip:" + "a" * 3000,
    ],
)
def test_what_is_no_uri(text: str) -> None:
    assert read_uri(text) is None


def test_parameters_keep_their_text_and_the_first_of_two() -> None:
    assert read_parameters(";A=x%41;b;a=2;;c = d") == {"a": "x%41", "b": None, "c": "d"}


@pytest.mark.parametrize(
    ("text", "number"),
    [("70", 70), (" 0068 ", 68), ("256", None), ("-1", None), ("٣", None), (None, None)],
)
def test_read_number(text: str | None, number: int | None) -> None:
    assert read_number(text, 255) == number


def test_hosts() -> None:
    assert bare_host("[::1]") == "::1"
    assert (bracketed_host("::1"), bracketed_host("[::1]"), bracketed_host("h")) == (
        "[::1]",
        "[::1]",
        "h",
    )
    assert is_numeric("192.0.2.1")
    assert not is_numeric("host")
    assert is_private("10.0.0.1")
    assert not is_private("8.8.8.8")
    assert not is_private("host")
    assert uri_scheme("SIPS:a@b") == "sips"


def test_printable() -> None:
    raw = b"Jos\xe9\t\xc3\xa9\0".decode("utf-8", "surrogateescape")
    assert printable(raw) == "Jos� é�"


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "hostile",
    [
        '"' + '\\"' * 4000,
        "a" * 8000,
        " " * 8000,
        ";" * 8000,
        "SIP/2.0/UDP h" + " " * 8000 + "x",
        "SIP/2.0/UDP h;" + "rport " * 1300,
        "sip:" + "a-" * 1000 + "!",
        "tel:" + "1" * 120 + "!",
        "sip:" + "%41" * 600 + "@",
        "sip:a@b" + ";a=b" * 500 + "\x00",
        "<" * 8000,
        ",".join(['"'] * 4000),
    ],
)
def test_hostile_values_take_linear_time(hostile: str) -> None:
    """A pattern that backtracks would run into the timeout."""
    split_list(hostile)
    read_tag(hostile)
    read_address(hostile)
    read_uri(hostile)
    via = read_via(hostile)
    if via is not None:
        stamp_via(via, "192.0.2.1", 1)


@pytest.mark.parametrize(
    "value", ['"a <sip:a@b>', ' "a', '"a\\" <sip:a@b>', '"a" "b" <sip:a@b>', '"a";x']
)
def test_quotes_that_are_not_closed_are_not_guessed_at(value: str) -> None:
    assert read_address(value) is None


def test_versions_of_via() -> None:
    assert read_via("SIP/7.0/UDP h") is None
    via = read_via("SIP/7.0/UDP h:1;branch=x", any_version=True)
    assert via is not None
    assert (via.host, via.port, via.branch) == ("h", 1, "x")
    other = read_via("SIP/2.0/TLS-SCTP h")
    assert other is not None
    assert other.transport == "TLS-SCTP"


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("SIP/2.0/UDP h", True),
        ("a/b/c d;", True),
        ("SIP/2.0/UDP", False),
        (";", False),
        ("", False),
    ],
)
def test_shape_of_a_via(value: str, shape: bool) -> None:
    assert looks_like_via(value) is shape
