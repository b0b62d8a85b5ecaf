"""Which requests go over a stream for their size."""

from __future__ import annotations

import pytest

from telephony.sip.config import UserAgentConfig
from telephony.sip.flow import Flow
from telephony.sip.size_switch import SizeSwitch
from telephony.sip.stats import UserAgentStats
from tests.sip.wire import PEER, US

_UDP = Flow("udp", PEER, US)
_TCP = Flow("tcp", PEER, US)


def _switch(config: UserAgentConfig | None = None) -> SizeSwitch:
    return SizeSwitch(config or UserAgentConfig(), UserAgentStats())


@pytest.mark.parametrize(
    ("size_bytes", "flow", "expected"),
    [(1300, _UDP, None), (1301, _UDP, _TCP), (9000, _TCP, None)],
)
def test_only_large_datagrams_change(size_bytes: int, flow: Flow, expected: Flow | None) -> None:
    assert _switch().stream_for(size_bytes, flow, 0.0) == expected


def test_it_can_be_switched_off_and_set() -> None:
    assert _switch(UserAgentConfig(stream_for_large=False)).stream_for(9000, _UDP, 0.0) is None
    assert _switch(UserAgentConfig(max_datagram_bytes=8000)).stream_for(7000, _UDP, 0.0) is None


def test_who_takes_no_streams_is_left_alone_for_a_while() -> None:
    stats = UserAgentStats()
    switch = SizeSwitch(UserAgentConfig(), stats)
    switch.stream_failed(_TCP, 100.0)
    assert switch.stream_for(2000, _UDP, 399.0) is None
    assert switch.stream_for(2000, Flow("udp", ("192.0.2.21", 5060), US), 399.0) is not None
    assert switch.stream_for(2000, _UDP, 400.0) == _TCP
    assert stats.switches_refused == 1


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    switch = _switch()
    switch.stream_failed(_TCP, 0.0)
    for port in range(1, 1025):
        switch.stream_failed(Flow("tcp", ("192.0.2.30", port), US), 0.0)
    assert switch.stream_for(2000, _UDP, 1.0) == _TCP
    assert switch.stream_for(2000, Flow("udp", ("192.0.2.30", 1024), US), 1.0) is None
