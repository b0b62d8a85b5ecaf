from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telephony.stacks.pjsip.referral import Referral


class Scene:
    def __init__(self) -> None:
        self.told: list[Any] = []
        self.referral = Referral(
            asyncio.get_running_loop(),
            lambda status, reason: self.told.append(status),
            lambda status, reason, refused: self.told.append((status, refused)),
        )
        self.referral.begin()


async def test_a_transfer_is_followed_to_its_end() -> None:
    scene = Scene()
    scene.referral.answered(202, "Accepted")
    # What PJSIP makes of the answer is no news of the call.
    scene.referral.notified(202, "Accepted", False)
    scene.referral.notified(180, "Ringing", False)
    scene.referral.notified(200, "OK", True)
    scene.referral.notified(200, "OK", True)
    assert scene.told == [180, (200, False)]


@pytest.mark.parametrize("by_answer", [True, False])
async def test_a_refusal_of_the_refer_says_nothing_of_the_target(by_answer: bool) -> None:
    scene = Scene()
    if by_answer:
        scene.referral.answered(603, "Decline")
    scene.referral.notified(603, "Decline", True)
    assert scene.told == [(603, True)]


async def test_a_busy_target_is_no_refusal_of_the_refer() -> None:
    scene = Scene()
    scene.referral.answered(202, "Accepted")
    scene.referral.notified(486, "Busy Here", True)
    assert scene.told == [(486, False)]


async def test_nothing_is_told_after_the_end_of_the_leg() -> None:
    scene = Scene()
    scene.referral.close()
    scene.referral.notified(200, "OK", True)
    scene.referral.failed(500, "")
    assert scene.told == []
