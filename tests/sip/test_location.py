"""What a URI leads to, before any lookup and after."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.sip.flow import Transport
from telephony.sip.location import (
    Destination,
    NaptrRecord,
    Service,
    SrvRecord,
    default_services,
    fallback_transport,
    offered_services,
    order_srv,
    read_destination,
)

_ALL: tuple[Transport, ...] = ("udp", "tcp", "tls")


@pytest.mark.parametrize(
    ("uri", "transport", "expected"),
    [
        ("sip:a@Example.com.", None, Destination("example.com", None, None, False)),
        ("sip:a@example.com:5070", None, Destination("example.com", 5070, "udp", False)),
        ("sips:a@example.com:5070", None, Destination("example.com", 5070, "tls", True)),
        ("sips:example.com", None, Destination("example.com", None, None, True)),
        ("sip:192.0.2.1", None, Destination("192.0.2.1", None, "udp", False)),
        ("sips:192.0.2.1", None, Destination("192.0.2.1", None, "tls", True)),
        ("sip:[2001:db8::1]:5070", None, Destination("2001:db8::1", 5070, "udp", False)),
        ("sip:example.com;transport=TCP", None, Destination("example.com", None, "tcp", False)),
        ("sip:example.com;transport=tls", None, Destination("example.com", None, "tls", False)),
        ("sips:example.com;transport=tcp", None, Destination("example.com", None, "tls", True)),
        ("sip:example.com;transport=tcp", "udp", Destination("example.com", None, "udp", False)),
        ("sip:a@example.com;maddr=192.0.2.7", None, Destination("192.0.2.7", None, "udp", False)),
    ],
)
def test_reading_a_uri(uri: str, transport: str | None, expected: Destination) -> None:
    assert read_destination(uri, transport) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "tel:+15550100",
        "http://example.com",
        "sip:",
        "sip:a;transport=sctp",
        "sips:a;transport=udp",
    ],
)
def test_what_leads_nowhere(uri: str) -> None:
    with pytest.raises(ValueError):
        read_destination(uri)


def test_only_names_without_port_and_transport_need_naptr() -> None:
    assert read_destination("sip:example.com").needs_naptr
    assert read_destination("sips:example.com").needs_naptr
    assert not read_destination("sip:example.com:5060").needs_naptr
    assert not read_destination("sip:example.com;transport=tcp").needs_naptr
    assert not read_destination("sip:192.0.2.1").needs_naptr
    assert read_destination("sip:192.0.2.1").numeric


_NAPTR = [
    NaptrRecord(20, 1, "s", "SIP+D2U", "_sip._udp.example.com"),
    NaptrRecord(10, 50, "S", "sip+d2t", "_sip._tcp.Example.com"),
    NaptrRecord(10, 20, "s", "SIPS+D2T", "_sips._tcp.example.com"),
    NaptrRecord(5, 1, "s", "SIP+D2S", "_sip._sctp.example.com"),
    NaptrRecord(6, 1, "u", "SIP+D2U", "x.example.com"),
    NaptrRecord(7, 1, "s", "SIP+D2U", ""),
    NaptrRecord(30, 1, "a", "SIP+D2U", "host.example.com"),
]


def test_naptr_services_in_their_order() -> None:
    destination = read_destination("sip:example.com")
    tls = Service("tls", "_sips._tcp.example.com", "SRV")
    tcp = Service("tcp", "_sip._tcp.example.com", "SRV")
    udp = Service("udp", "_sip._udp.example.com", "SRV")
    host = Service("udp", "host.example.com", "host")
    assert offered_services(_NAPTR, destination, _ALL) == [tls, tcp, udp, host]
    assert offered_services(_NAPTR, destination, ("udp",)) == [udp, host]
    assert offered_services(_NAPTR, read_destination("sips:example.com"), _ALL) == [tls]


def test_services_without_naptr() -> None:
    names = ["_sip._udp.example.com", "_sip._tcp.example.com", "_sips._tcp.example.com"]
    found = default_services(read_destination("sip:example.com"), _ALL)
    assert [service.name for service in found] == names
    found = default_services(read_destination("sip:example.com;transport=tcp"), _ALL)
    assert [service.name for service in found] == names[1:2]
    found = default_services(read_destination("sips:example.com"), _ALL)
    assert [service.name for service in found] == names[2:]
    assert default_services(read_destination("sips:example.com"), ("udp",)) == []


def test_the_transport_to_a_bare_host() -> None:
    assert fallback_transport(read_destination("sip:example.com")) == "udp"
    assert fallback_transport(read_destination("sips:example.com")) == "tls"
    assert fallback_transport(read_destination("sip:example.com;transport=tcp")) == "tcp"


def test_srv_records_by_priority() -> None:
    low, high = SrvRecord(10, 5, 5060, "a"), SrvRecord(1, 0, 5060, "b")
    nowhere, no_port = SrvRecord(0, 0, 5060, ""), SrvRecord(0, 0, 0, "c")
    assert order_srv([low, high, nowhere, no_port, low], Ids.seeded(1)) == [high, low]
    assert order_srv([nowhere], Ids.seeded(1)) == []


def test_weights_are_shares() -> None:
    records = [
        SrvRecord(1, 60, 5060, "a"),
        SrvRecord(1, 30, 5060, "b"),
        SrvRecord(1, 10, 5060, "c"),
    ]
    ids = Ids.seeded(7)
    first = Counter(order_srv(records, ids)[0].host for _ in range(3000))
    assert 0.55 < first["a"] / 3000 < 0.65
    assert 0.25 < first["b"] / 3000 < 0.35
    assert 0.07 < first["c"] / 3000 < 0.14


def test_weight_zero_is_seldom_first_and_never_lost() -> None:
    records = [SrvRecord(1, 0, 5060, "a"), SrvRecord(1, 99, 5060, "b")]
    ids = Ids.seeded(7)
    first = Counter(order_srv(records, ids)[0].host for _ in range(2000))
    assert 0 < first["a"] < 60
    zeros = [SrvRecord(1, 0, 5060, name) for name in "abc"]
    assert len({order_srv(zeros, Ids.seeded(n))[0].host for n in range(20)}) >= 1


_RECORDS = st.lists(
    st.builds(
        SrvRecord,
        st.integers(0, 3),
        st.integers(0, 65535),
        st.integers(0, 65535),
        st.sampled_from(["", "a", "b", "c"]),
    ),
    max_size=12,
)


@hypothesis_settings(max_examples=200)
@given(records=_RECORDS, seed=st.integers(0, 99))
def test_every_usable_record_comes_once_and_priorities_rise(
    records: list[SrvRecord], seed: int
) -> None:
    ordered = order_srv(records, Ids.seeded(seed))
    assert sorted(ordered, key=repr) == sorted(
        {record for record in records if record.host and record.port}, key=repr
    )
    priorities = [record.priority for record in ordered]
    assert priorities == sorted(priorities)


@hypothesis_settings(max_examples=200)
@given(st.text(max_size=40), st.none() | st.text(max_size=5))
def test_no_text_raises_anything_else(text: str, transport: str | None) -> None:
    for uri in (text, f"sip:{text}", f"sips:a@{text}"):
        try:
            destination = read_destination(uri, transport)
        except ValueError:
            continue
        assert default_services(destination, _ALL) or destination.transport is not None
