"""Messages that would cost more than they should: bounded, counted, read in linear time."""

from __future__ import annotations

import time

import pytest

from telephony.sip.framing import StreamFramer
from telephony.sip.values import read_uri
from tests.sip.hostile import HOSTILE, Build, deliver, message
from tests.sip.wire import HandPeer, lines

_SIZE_BYTES = 16_000
_LARGEST_BYTES = 64_000
_LINEAR = 2.8
"""How much longer twice the octets may take: 2 and noise; a quadratic reader takes 4 times."""


def _cost_s(data: bytes) -> float:
    """The least processor time of several readings, as a datagram and from a stream."""
    costs = []
    for _ in range(4):
        read_uri.cache_clear()
        started = time.thread_time()
        deliver(data, limited=False)
        StreamFramer().receive(data)
        costs.append(time.thread_time() - started)
    return min(costs)


def _growth(build: Build) -> float:
    return _cost_s(build(2 * _SIZE_BYTES)) / _cost_s(build(_SIZE_BYTES))


@pytest.mark.parametrize("name", HOSTILE)
def test_reading_takes_linear_time(name: str) -> None:
    assert any(_growth(HOSTILE[name]) < _LINEAR for _ in range(5))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("size_bytes", [7_000, 30_000, _LARGEST_BYTES])
def test_what_is_sent_back_is_no_larger(name: str, size_bytes: int) -> None:
    """Whoever forges the source must not gain octets by us, but for some of a response's own."""
    data = HOSTILE[name](size_bytes)
    peer = HandPeer()
    assert sum(len(answer) for answer in peer.send(data)) < len(data) + 300


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_stays(name: str) -> None:
    peer = deliver(HOSTILE[name](_LARGEST_BYTES))
    for leg_id in list(peer.agent.legs):
        peer.agent.reject(leg_id, 486, peer.now)
    peer.assert_drained()


@pytest.mark.parametrize(
    ("data", "answer", "reason"),
    [
        (message(extra="X: y\r\n" * 121), "513 INVITE", "too-many-headers"),
        (message(extra=f"X: {'y' * 8_200}\r\n"), "513 INVITE", "line-too-long"),
        (message(extra="X: y\r\n" + " z\r\n" * 4_100), "513 INVITE", "line-too-long"),
        (message(extra="Via: SIP/2.0/UDP h\r\n" * 100), "513 INVITE", "too-many-hops"),
        (message(extra=f"Route: <sip:p>{',<sip:p>' * 100}\r\n"), "513 INVITE", "too-many-hops"),
        (message(body=b"x" * 32_769), "513 INVITE", "too-large"),
        (message(extra=f"X: {'y' * 8_000}\r\n" * 5), "513 INVITE", "too-large"),
        (message(extra="X: \0\r\n", uri="sip:\0@b"), "400 INVITE", "bad-request-uri"),
        (message(extra='X: "a\r\nVia: b"\r\n'), "400 INVITE", "bad-via"),
        (message(extra='Subject: "a\nVia: b"\r\n'), "400 INVITE", "bad-header-line"),
    ],
)
def test_limits_are_answered_and_counted(data: bytes, answer: str, reason: str) -> None:
    peer = HandPeer()
    assert lines(peer.send(data)) == [answer]
    assert dict(peer.agent.stats.malformed) == {reason: 1}
    assert peer.agent.transaction_count == 0


def test_limits_of_a_longest_path_are_not_reached() -> None:
    """Max-Forwards 70 lets 71 Vias come; proxies record themselves once or twice each."""
    vias = "Via: SIP/2.0/UDP proxy.example.com:5060;branch=z9hG4bK0123456789abcdef\r\n" * 70
    routes = f"Record-Route: <sip:proxy.example.com;lr>{',<sip:proxy.example.com;lr>' * 69}\r\n"
    assert lines(HandPeer().send(message(extra=vias + routes))) == ["100 INVITE"]


def test_a_stream_that_is_fed_octet_by_octet_is_scanned_once() -> None:
    def cost_s(size_bytes: int) -> float:
        data = message(extra="X: y\r\n" * (size_bytes // 6))
        costs = []
        for _ in range(3):
            framer = StreamFramer()
            started = time.thread_time()
            for octet in data:
                framer.receive(bytes((octet,)))
            costs.append(time.thread_time() - started)
        return min(costs)

    assert any(cost_s(16_000) / cost_s(8_000) < _LINEAR for _ in range(5))
