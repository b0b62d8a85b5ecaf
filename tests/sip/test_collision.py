"""The delays after a collision."""

from __future__ import annotations

from telephony.base.ids import Ids
from telephony.sip.collision import collision_delay_s


def test_the_owner_of_the_call_id_waits_longer_than_the_other_side() -> None:
    ids = Ids.seeded(1)
    owner = [collision_delay_s(True, ids) for _ in range(2000)]
    other = [collision_delay_s(False, ids) for _ in range(2000)]
    assert (min(owner), max(owner)) == (2.1, 4.0)
    assert (min(other), max(other)) == (0.0, 2.0)
    assert all(delay == round(delay, 2) for delay in owner + other)
