"""Offers that lapse, and directions that were not said yet."""

from __future__ import annotations

import pytest

from telephony.base.ids import Ids
from telephony.sdp.offer_answer import LocalMedia, NotAcceptable, OfferAnswer
from telephony.stacks.negotiation import Negotiation


def _side(port: int) -> OfferAnswer:
    return OfferAnswer(LocalMedia("127.0.0.1", port), Ids.seeded(port))


def test_a_direction_is_said_with_the_next_offer_or_answer() -> None:
    ours, theirs = Negotiation(_side(4000)), _side(4002)
    unsaid = [ours.unsaid]
    ours.turn("sendonly")
    unsaid.append(ours.unsaid)
    assert b"a=sendonly" in ours.offer()
    unsaid.append(ours.unsaid)
    ours.turn("sendrecv")
    unsaid.append(ours.unsaid)
    ours.answer(theirs.create_offer())
    unsaid.append(ours.unsaid)
    assert unsaid == [False, True, False, True, False]


def test_the_offer_of_the_peer_takes_the_place_of_ours() -> None:
    ours, theirs = Negotiation(_side(4000)), _side(4002)
    ours.turn("sendonly")
    late = ours.offer()
    answer = ours.answer(theirs.create_offer())
    assert b"a=sendonly" in answer.sdp
    theirs.receive_answer(answer.sdp)
    assert not ours.offer_pending
    # Ours was on its way all the same.
    assert ours.take_answer(theirs.answer(late).sdp).direction == "sendonly"


@pytest.mark.parametrize("refused", [True, False])
def test_an_offer_that_lapsed_may_still_be_answered(refused: bool) -> None:
    ours, theirs = Negotiation(_side(4000)), _side(4002)
    offer = ours.offer()
    if refused:
        with pytest.raises(NotAcceptable):
            ours.answer(b"v=0\r\nnonsense")
    else:
        ours.lapse()
    assert not ours.offer_pending
    assert ours.take_answer(theirs.answer(offer).sdp).direction == "sendrecv"


def test_a_repeated_answer_is_taken_again() -> None:
    ours, theirs = Negotiation(_side(4000)), _side(4002)
    answer = theirs.answer(ours.offer()).sdp
    assert ours.take_answer(answer) == ours.take_answer(answer)


def test_an_answer_that_came_by_a_refresh_says_nothing_new_to_the_peer() -> None:
    ours, theirs = Negotiation(_side(4000)), _side(4002)
    theirs.receive_answer((answer := ours.answer(theirs.create_offer())).sdp)
    ours.turn("sendonly")
    ours.take_answer(theirs.answer(answer.sdp).sdp)
    assert ours.unsaid
