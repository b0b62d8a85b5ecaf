from __future__ import annotations

from telephony.base.ids import Ids
from telephony.stacks.pjsip.hold_request import MAX_ATTEMPTS, HoldRequest

IDS = Ids.seeded(1)


def test_one_re_invite_at_a_time_and_the_last_wish_counts() -> None:
    turned: list[bool] = []
    request = HoldRequest(turned.append)
    request.want(True)
    assert turned == []
    request.open()
    request.want(False)
    assert turned == [True]
    assert request.answered(200, IDS) is None
    assert turned == [True, False]
    request.answered(200, IDS)
    request.want(False)
    assert turned == [True, False]


def test_after_a_collision_it_is_tried_again_some_time() -> None:
    turned: list[bool] = []
    request = HoldRequest(turned.append)
    request.open()
    request.want(True)
    for _ in range(MAX_ATTEMPTS - 1):
        delay_s = request.answered(491, IDS)
        assert delay_s is not None
        assert 2.1 <= delay_s <= 4.0
        request.retry()
    assert turned == [True] * MAX_ATTEMPTS
    assert request.answered(491, IDS) is None
    assert turned == [True] * MAX_ATTEMPTS


def test_a_refusal_of_the_peer_is_not_repeated() -> None:
    turned: list[bool] = []
    request = HoldRequest(turned.append)
    request.open()
    request.want(True)
    assert request.answered(488, IDS) is None
    assert turned == [True]
    # An answer that nobody waits for is none.
    assert request.answered(491, IDS) is None


def test_a_line_that_is_busy_is_tried_again() -> None:
    turned: list[bool] = []
    request = HoldRequest(turned.append)
    request.open()
    request.want(True)
    assert request.refused()
    request.retry()
    assert turned == [True, True]
