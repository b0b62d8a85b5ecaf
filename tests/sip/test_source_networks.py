"""What counts as one source, and which addresses are in which networks."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from telephony.sip.source_networks import NetworkSet, source_key


@pytest.mark.parametrize(
    ("source_ip", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8:0:0::/64"),
        ("2001:db8:0:0:1:2:3:4", "2001:db8:0:0::/64"),
        ("2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"),
        ("::1", "0:0:0:0::/64"),
        ("::", "0:0:0:0::/64"),
        ("fe80::1%eth0", "fe80:0:0:0::/64"),
        ("1:2:3:4::", "1:2:3:4::/64"),
    ],
)
def test_keys(source_ip: str, key: str) -> None:
    assert source_key(source_ip) == key


@pytest.mark.parametrize(
    ("source_ip", "inside"),
    [
        ("192.0.2.0", True),
        ("192.0.2.255", True),
        ("192.0.3.0", False),
        ("198.51.100.7", True),
        ("198.51.100.8", False),
        ("::ffff:198.51.100.7", True),
        ("2001:db8:5::1", True),
        ("2001:db8:6::1", False),
        ("2001:db8:7::1", True),
        ("2001:db8:7::2", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("host", False),
        ("1.2.3", False),
        ("1:2", False),
        ("::g", False),
    ],
)
def test_membership(source_ip: str, inside: bool) -> None:
    texts = ("192.0.2.0/24", "198.51.100.7", "2001:db8:5::/48", "2001:db8:7::1/128")
    assert (source_ip in NetworkSet(map(ip_network, texts))) is inside


def test_no_network_and_every_network() -> None:
    assert "192.0.2.1" not in NetworkSet()
    assert "::1" not in NetworkSet()
    everything = NetworkSet([ip_network("0.0.0.0/0"), ip_network("::/0")])
    assert "192.0.2.1" in everything
    assert "::1" in everything
