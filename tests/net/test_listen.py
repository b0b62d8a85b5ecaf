from __future__ import annotations

import pytest

from telephony.net.listen import (
    PortInUse,
    bind_tcp,
    bind_udp,
    choose_local,
    is_ipv6,
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


def test_the_family_of_an_address() -> None:
    assert is_ipv6("::1")
    assert not is_ipv6("127.0.0.1")


def test_both_wildcards_take_the_same_port() -> None:
    try:
        with bind_udp(("::", 0), 4096) as six:
            port = six.getsockname()[1]
            bind_udp(("0.0.0.0", port), 4096).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ([("127.0.0.1", 5060)], ("127.0.0.1", 5060)),
        # One address of the family is the one; the route is not asked for.
        ([("192.0.2.1", 5060), ("::1", 5060)], ("192.0.2.1", 5060)),
        ([("192.0.2.1", 5060), ("127.0.0.1", 5070)], ("127.0.0.1", 5070)),
        ([("192.0.2.1", 5060), ("0.0.0.0", 5070)], ("127.0.0.1", 5070)),
        ([("192.0.2.1", 5060), ("192.0.2.2", 5070)], ("192.0.2.1", 5060)),
        ([("::", 5060)], ("127.0.0.1", 0)),
        ([], ("127.0.0.1", 0)),
    ],
)
def test_which_address_a_packet_leaves_from(
    bound: list[tuple[str, int]], expected: tuple[str, int]
) -> None:
    assert choose_local(bound, ("127.0.0.1", 9)) == expected
