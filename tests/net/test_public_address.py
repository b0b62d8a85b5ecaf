from __future__ import annotations

import pytest

from telephony.net.public_address import is_address, is_loopback, is_public


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f::1", "::ffff:93.184.215.14"])
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "ff02::1",
        "localhost",
        "",
        "1.2.3",
    ],
)
def test_addresses_that_lead_inside(address: str) -> None:
    assert not is_public(address)


def test_this_machine() -> None:
    assert all(is_loopback(host) for host in ("localhost", "LOCALHOST", "127.0.0.1", "::1"))
    assert not any(is_loopback(host) for host in ("example.com", "10.0.0.1", "localhost.evil", ""))


def test_what_is_an_address() -> None:
    assert is_address("10.0.0.1")
    assert is_address("::1")
    assert not is_address("2130706433.")
    assert not is_address("example.com")
