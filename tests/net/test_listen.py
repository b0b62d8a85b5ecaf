from __future__ import annotations

import pytest

from telephony.net.listen import (
    PortInUse,
    bind_tcp,
    bind_udp,
    is_wildcard,
    local_address_towards,
)


def test_a_taken_udp_port_is_named() -> None:
    with bind_udp(("127.0.0.1", 0), 4096) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortInUse, match=f"UDP port {port} on 127.0.0.1 is in use") as caught:
            bind_udp(("127.0.0.1", port), 4096)
    assert (caught.value.transport, caught.value.port) == ("UDP", port)


def test_a_taken_tcp_port_is_named() -> None:
    with bind_tcp(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortInUse, match=f"TCP port {port}"):
            bind_tcp(("127.0.0.1", port))


def test_an_address_of_another_machine_is_an_os_error() -> None:
    with pytest.raises(OSError, match="assign"):
        bind_udp(("192.0.2.1", 0), 4096)


def test_the_address_towards_a_peer() -> None:
    assert local_address_towards(("127.0.0.1", 5060)) == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "expected"), [("0.0.0.0", True), ("::", True), ("10.0.0.1", False)]
)
def test_wildcards(host: str, expected: bool) -> None:
    assert is_wildcard(host) is expected
