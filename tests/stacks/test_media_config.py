from __future__ import annotations

import pytest

from telephony.rtp.source import LatchPolicy
from telephony.stacks.media_config import (
    MediaConfig,
    MediaHost,
    advertised_address,
    ip_version,
)

BOTH = MediaConfig("192.0.2.1", "203.0.113.1", more_hosts=(MediaHost("2001:db8::1"),))


@pytest.mark.parametrize(
    ("peer", "host"),
    [("198.51.100.1", "192.0.2.1"), ("2001:db8::9", "2001:db8::1"), ("", "192.0.2.1")],
)
def test_the_host_of_the_ip_version_of_the_peer(peer: str, host: str) -> None:
    assert BOTH.host_towards(peer).host == host


def test_the_only_host_serves_everybody() -> None:
    assert MediaConfig("192.0.2.1").host_towards("2001:db8::9") == MediaHost("192.0.2.1")


def test_the_advertised_address() -> None:
    assert advertised_address(BOTH.host_towards("198.51.100.1"), "198.51.100.1", 9) == "203.0.113.1"
    assert advertised_address(MediaHost("0.0.0.0"), "127.0.0.1", 9) == "127.0.0.1"
    assert advertised_address(MediaHost("127.0.0.1"), "::1", 9) == "127.0.0.1"
    assert advertised_address(MediaHost("127.0.0.1"), "0.0.0.0", 9) == "127.0.0.1"


@pytest.mark.parametrize(
    ("latch", "policy"),
    [(True, "any"), (False, "off"), ("signalled_host", "signalled_host"), ("off", "off")],
)
def test_latching(latch: LatchPolicy | bool, policy: str) -> None:
    assert MediaConfig("192.0.2.1", latch=latch).latch_policy == policy


def test_ip_versions() -> None:
    assert [ip_version(host) for host in ("192.0.2.1", "::", "localhost", "")] == [
        4,
        6,
        None,
        None,
    ]
