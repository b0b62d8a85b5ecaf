from __future__ import annotations

from typing import Any

import pytest

from telephony.base.interfaces import Address
from telephony.rehearsal.network import Path, Profile
from telephony.rehearsal.network import lane as lane_module
from telephony.rehearsal.network.lane import Lane
from tests.support.fake_loop import FakeLoop

PEER: Address = ("192.0.2.2", 5000)


class Scene:
    """A lane whose time the test moves; it starts at 0."""

    def __init__(self, mean_ms: float, **features: Any) -> None:
        delay = {"shape": "constant", "mean_ms": mean_ms}
        profile = Profile.model_validate({"about": "", "delay": delay, **features})
        self.loop = FakeLoop()
        self.arrived: list[tuple[float, bytes, Address]] = []
        loop: Any = self.loop
        self.lane = Lane(loop, self.loop.clock, Path(profile, "seed"), self._arrive)

    def _arrive(self, data: bytes, address: Address) -> None:
        self.arrived.append((round(self.loop.now - 1000.0, 6), data, address))

    def carry(self, data: bytes, at_s: float) -> None:
        self.loop.run_until(1000.0 + at_s)
        self.lane.carry(data, PEER, self.loop.now)

    def end(self) -> list[bytes]:
        self.loop.run_until(1100.0)
        return [data for _, data, _ in self.arrived]


def test_a_datagram_arrives_after_its_delay_with_its_address() -> None:
    scene = Scene(30)
    scene.carry(b"hello", 0.0)
    scene.carry(b"again", 0.02)
    scene.end()
    assert scene.arrived == [(0.03, b"hello", PEER), (0.05, b"again", PEER)]


def test_a_stall_is_followed_by_a_burst_in_order() -> None:
    scene = Scene(10, stalls={"every_s": 1, "lasting_ms": 300})
    for number in range(100):
        scene.carry(b"%d" % number, number * 0.02)
    assert scene.end() == [b"%d" % number for number in range(100)]
    times = [at for at, _, _ in scene.arrived]
    assert max(times.count(at) for at in times) >= 14


def test_packets_that_are_held_back_are_overtaken() -> None:
    scene = Scene(10, reorder={"percent": 20, "later_by_ms": 50})
    for number in range(100):
        scene.carry(b"%03d" % number, number * 0.02)
    came = scene.end()
    assert came != sorted(came)
    assert sorted(came) == [b"%03d" % number for number in range(100)]


def test_a_lost_packet_never_arrives_and_a_doubled_one_twice() -> None:
    scene = Scene(10, loss_percent=30, duplicates={"percent": 30, "later_by_ms": 1})
    for number in range(200):
        scene.carry(b"%03d" % number, number * 0.02)
    came = scene.end()
    counts = {came.count(b"%03d" % number) for number in range(200)}
    assert counts == {0, 1, 2}


def test_a_timer_that_is_early_by_less_than_a_millisecond_is_good_enough() -> None:
    scene = Scene(10)
    scene.loop.granularity_s = 0.001
    scene.carry(b"x", 0.0007)
    assert scene.end() == [b"x"]


def test_what_is_under_way_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "MAX_UNDER_WAY", 5)
    scene = Scene(1000)
    for number in range(8):
        scene.carry(b"%d" % number, number * 0.02)
    assert len(scene.end()) == 5
    assert scene.lane.stats.overflowed == 3


def test_closing_forgets_what_is_under_way() -> None:
    scene = Scene(100)
    scene.carry(b"x", 0.0)
    scene.lane.close()
    scene.lane.close()
    assert scene.loop.pending == 0
    assert scene.end() == []
