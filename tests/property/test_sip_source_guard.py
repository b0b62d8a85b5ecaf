"""The guard against a simple model, and its promises under any mix of sources."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.sip.source_guard import GuardConfig, SourceBanned, SourceGuard, SourceReleased
from telephony.sip.source_networks import Network, NetworkSet, source_key

_networks = st.lists(
    st.builds(
        lambda ip, bits: ip_network(f"{ip}/{min(bits, ip.max_prefixlen)}", strict=False),
        st.ip_addresses(),
        st.sampled_from([8, 16, 24, 31, 32, 64, 127, 128]),
    ),
    max_size=6,
)
_arrivals = st.lists(
    st.tuples(st.sampled_from([0.0, 0.01, 0.3, 1.0, 30.0]), st.integers(0, 5)), max_size=200
)


@settings(max_examples=200, deadline=None)
@given(_networks, st.data())
def test_network_sets_agree_with_the_library(networks: list[Network], data: st.DataObject) -> None:
    near = [ip_address(int(net.network_address) + 1) for net in networks if net.version == 4]
    address = data.draw(st.one_of(st.ip_addresses(), st.sampled_from(near or [ip_address("::1")])))
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    if not mapped:
        expected = any(address in net for net in networks if net.version == address.version)
        assert (str(address) in NetworkSet(networks)) == expected


@settings(max_examples=200, deadline=None)
@given(st.ip_addresses())
def test_keys_agree_with_the_library(address: IPv4Address | IPv6Address) -> None:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            net = ip_network(f"{address}/64", strict=False)
            assert ip_network(source_key(str(address))) == net
    else:
        assert source_key(str(address)) == str(address)


@settings(max_examples=100, deadline=None)
@given(_arrivals, st.floats(0.1, 50), st.integers(1, 30))
def test_a_bucket_never_gives_more_than_its_rate(
    arrivals: list[tuple[float, int]], rate_per_s: float, burst: int
) -> None:
    guard = SourceGuard(
        GuardConfig(messages_per_s=rate_per_s, burst_messages=burst, points={}, max_sources=100)
    )
    now, admitted = 0.0, dict.fromkeys(range(6), 0)
    for pause_s, source in arrivals:
        now += pause_s
        admitted[source] += guard.admits(f"192.0.2.{source}", 100, now)
    assert all(count <= burst + rate_per_s * now + 1e-6 for count in admitted.values())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.0, 1.0, 60.0, 1000.0]),
            st.sampled_from(["scanner", "scanner", "malformed", "flood", "new_word"]),
            st.integers(0, 40),
        ),
        max_size=150,
    )
)
def test_bans_are_told_kept_and_ended(offences: list[tuple[float, str, int]]) -> None:
    trusted = ip_network("192.0.2.0/30")
    guard = SourceGuard(GuardConfig(trusted=(trusted,), max_sources=5))
    now, banned = 0.0, dict[str, float]()
    for pause_s, offence, number in offences:
        now += pause_s
        guard.handle_timer(now)
        source = f"192.0.2.{number}"
        guard.note(offence, source, now)
        for event in guard.events_received():
            if isinstance(event, SourceBanned):
                assert event.address not in banned
                banned[event.address] = now + event.seconds
            else:
                assert isinstance(event, SourceReleased)
                del banned[event.address]
        assert set(guard.banned(now)) == set(banned)
        assert guard.admits(source, 100, now) == (source not in guard.banned(now))
        assert number > 3 or source not in banned
    guard.handle_timer(now + 10**6)
    assert guard.banned(now) == {}
    assert guard.next_timer() is None
