from __future__ import annotations

import pytest

from telephony.app.trunk_schema import is_host, network_of, server_uri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip.example.com", "sip:sip.example.com"),
        (" a.example:5080 ", "sip:a.example:5080"),
        ("2001:db8::1", "sip:[2001:db8::1]"),
        ("[2001:db8::1]:5070", "sip:[2001:db8::1]:5070"),
        ("sips:a.example", "sips:a.example"),
        ("pbx", "sip:pbx"),
    ],
)
def test_a_server_is_a_uri(text: str, uri: str) -> None:
    assert server_uri(text) == uri


@pytest.mark.parametrize(
    "text", ["", "a b", "sip:", "http://x", "1.2.3", "-a", "a..b", "a:b", "a:0"]
)
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(ValueError, match="is no SIP server"):
        server_uri(text)


def test_a_transport_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="there is no transport 'sctp'"):
        server_uri("sip:a.example;transport=sctp")


@pytest.mark.parametrize(
    ("text", "host"),
    [("a", True), ("a_b.c-d.", True), ("192.0.2.7", True), ("::1", True), ("1.2.3.4.5", False)],
)
def test_hosts(text: str, host: bool) -> None:
    assert is_host(text) is host


def test_a_long_name_is_refused_in_no_time() -> None:
    assert not is_host("a-" * 5000)
    assert not is_host("a" * 254)


def test_networks_may_have_bits_of_a_host() -> None:
    assert str(network_of("192.0.2.7/24")) == "192.0.2.0/24"
    assert network_of("a.example") is None
