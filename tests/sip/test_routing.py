"""Where responses and requests go."""

from __future__ import annotations

import pytest

from telephony.sip.config import UserAgentConfig
from telephony.sip.flow import Flow
from telephony.sip.routing import contact_value, next_hop_flow, response_flow, via_value
from telephony.sip.values import read_via

_US = ("192.0.2.10", 5060)
_UDP = Flow("udp", ("198.51.100.1", 40_000), _US)
_TCP = Flow("tcp", ("198.51.100.1", 40_000), _US)


@pytest.mark.parametrize(
    ("via", "symmetric", "port"),
    [
        ("198.51.100.1:5080;rport", True, 40_000),
        ("198.51.100.1:5080", True, 5080),
        ("198.51.100.1", True, 5060),
        ("10.0.0.1:5080", True, 40_000),
        ("10.0.0.1:5080", False, 5080),
        ("pbx.example:5080", True, 5080),
        ("198.51.100.1;maddr=203.0.113.1", True, 5060),
    ],
)
def test_response_over_udp(via: str, symmetric: bool, port: int) -> None:
    value = read_via(f"SIP/2.0/UDP {via};branch=z9hG4bK1")
    assert value is not None
    assert response_flow(value, _UDP, symmetric) == Flow("udp", ("198.51.100.1", port), _US)


def test_response_over_a_stream() -> None:
    value = read_via("SIP/2.0/TCP 10.0.0.1:5080;branch=z9hG4bK1")
    assert value is not None
    assert response_flow(value, _TCP, True) is _TCP


@pytest.mark.parametrize(
    ("hop", "is_route", "symmetric", "remote"),
    [
        # The Contact names where the packets come from: its port counts.
        ("sip:a@198.51.100.1:5080", False, True, ("198.51.100.1", 5080)),
        ("sip:a@198.51.100.1", False, True, ("198.51.100.1", 5060)),
        # NAT, or a proxy that does not record its route: where the peer was heard.
        ("sip:a@10.0.0.9:5080", False, True, _UDP.remote),
        ("sip:a@203.0.113.9:5080", False, True, _UDP.remote),
        ("sip:a@203.0.113.9:5080", False, False, ("203.0.113.9", 5080)),
        # A recorded route is followed, unless it can't be reached from here.
        ("sip:8.8.8.8:5070;lr", True, True, ("8.8.8.8", 5070)),
        ("sip:10.0.0.9;lr", True, False, ("10.0.0.9", 5060)),
        # Names are not resolved, other transports not opened.
        ("sip:pbx.example;lr", True, True, _UDP.remote),
        ("sip:8.8.8.8;transport=tcp;lr", True, True, _UDP.remote),
        ("sips:8.8.8.8", True, True, _UDP.remote),
        ("nonsense", True, True, _UDP.remote),
        # Our address in the Via would be of the other IP version.
        ("sip:[2001:db8::1]", False, False, _UDP.remote),
    ],
)
def test_next_hop_over_udp(
    hop: str, is_route: bool, symmetric: bool, remote: tuple[str, int]
) -> None:
    flow = next_hop_flow(hop, _UDP, is_route=is_route, symmetric=symmetric)
    assert flow == Flow("udp", remote, _US)


def test_a_private_route_of_a_public_peer_is_not_followed() -> None:
    public = Flow("udp", ("8.8.4.4", 5060), _US)
    assert next_hop_flow("sip:10.0.0.9;lr", public, is_route=True, symmetric=True) is public


def test_next_hop_over_a_stream_reuses_it() -> None:
    assert next_hop_flow("sip:8.8.8.8", _TCP, is_route=True, symmetric=False) is _TCP


@pytest.mark.parametrize(
    ("hop", "remote"),
    [
        ("sip:a@198.51.100.1:5080;transport=tcp", ("198.51.100.1", 5080)),
        ("sip:a@198.51.100.1", ("198.51.100.1", 5060)),
        # Nowhere else to go: NAT, a name, another transport.
        ("sip:a@10.0.0.9:5080;transport=tcp", _TCP.remote),
        ("sip:pbx.example;transport=tcp", _TCP.remote),
        ("sip:a@198.51.100.1:5080;transport=udp", _TCP.remote),
    ],
)
def test_next_hop_once_the_stream_is_gone(hop: str, remote: tuple[str, int]) -> None:
    flow = next_hop_flow(hop, _TCP, is_route=False, symmetric=True, connected=False)
    assert flow == Flow("tcp", remote, _US)


def test_next_hop_over_ipv6() -> None:
    six = Flow("udp", ("2001:db8::9", 40_000), ("2001:db8::1", 5060))
    flow = next_hop_flow("sip:[2001:db8::2]", six, is_route=False, symmetric=False)
    assert flow == Flow("udp", ("2001:db8::2", 5060), six.local)


@pytest.mark.parametrize(
    ("hop", "port"),
    [
        ("sips:a@198.51.100.1", 5061),
        ("sips:a@198.51.100.1:5071;transport=tcp", 5071),
        ("sip:a@198.51.100.1;transport=TLS", 5061),
        ("sip:a@198.51.100.1", 5061),
        # Never without TLS, once it came over TLS.
        ("sip:a@198.51.100.1;transport=tcp", 40_000),
        ("sip:a@198.51.100.1;transport=udp", 40_000),
    ],
)
def test_next_hop_once_the_tls_connection_is_gone(hop: str, port: int) -> None:
    tls = Flow("tls", _TCP.remote, _US, peer_names=("a.example",), server_name="b.example")
    flow = next_hop_flow(hop, tls, is_route=False, symmetric=True, connected=False)
    assert flow == Flow("tls", ("198.51.100.1", port), _US)
    # Whoever answers there must prove to be the same peer.
    assert (flow.peer_names, flow.server_name) == (("a.example",), "b.example")


def test_a_sips_hop_is_not_reached_without_tls() -> None:
    flow = next_hop_flow(
        "sips:a@198.51.100.1", _TCP, is_route=False, symmetric=True, connected=False
    )
    assert flow is _TCP


def test_contact_and_via_are_of_the_version_of_the_flow() -> None:
    config = UserAgentConfig(advertised={"udp": ("203.0.113.5", 5070)})
    six = Flow("udp", ("fe80::2%eth0", 5060), ("fe80::1%eth0", 5060))
    assert contact_value(config, six, False) == "<sip:[fe80::1]:5060>"
    named = UserAgentConfig(advertised={"udp": ("bot.example.com", 5070)})
    assert contact_value(named, six, False) == "<sip:bot.example.com:5070>"


def test_without_a_port_of_ours_it_is_the_default() -> None:
    config = UserAgentConfig()
    tls = Flow("tls", ("198.51.100.1", 5061), ("192.0.2.10", 0))
    assert via_value(config, tls, "b") == "SIP/2.0/TLS 192.0.2.10:5061;branch=b;rport"


def test_contact_and_via_advertise_what_the_config_says() -> None:
    config = UserAgentConfig(advertised={"udp": ("203.0.113.5", 5070)}, contact_user="bot")
    assert contact_value(config, _UDP, False) == "<sip:bot@203.0.113.5:5070>"
    assert contact_value(config, _TCP, False) == "<sip:bot@192.0.2.10:5060;transport=tcp>"
    assert contact_value(config, _TCP, True) == "<sips:bot@192.0.2.10:5060>"
    assert via_value(config, _UDP, "z9hG4bK1") == (
        "SIP/2.0/UDP 203.0.113.5:5070;branch=z9hG4bK1;rport"
    )
    six = Flow("tls", ("2001:db8::2", 5061), ("2001:db8::1", 5061))
    assert via_value(config, six, "b") == "SIP/2.0/TLS [2001:db8::1]:5061;branch=b;rport"
