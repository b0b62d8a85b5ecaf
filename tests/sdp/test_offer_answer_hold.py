"""Hold from both sides and in both styles (RFC 3264 section 8.4, RFC 2543)."""

from __future__ import annotations

import pytest

from telephony.base.ids import Ids
from telephony.sdp.description import Direction, parse
from telephony.sdp.offer_answer import LocalMedia, OfferAnswer

ADDRESSES = {4: ("192.0.2.1", "192.0.2.2", "0.0.0.0"), 6: ("2001:db8::1", "2001:db8::2", "::")}


def ends(version: int = 4) -> tuple[OfferAnswer, OfferAnswer]:
    one, other, _ = ADDRESSES[version]
    ours = OfferAnswer(LocalMedia(one, 4000), Ids.seeded(1))
    theirs = OfferAnswer(LocalMedia(other, 5000), Ids.seeded(2))
    return ours, theirs


def exchange(offerer: OfferAnswer, answerer: OfferAnswer) -> None:
    offerer.receive_answer(answerer.answer(offerer.create_offer()).sdp)


def state(end: OfferAnswer) -> tuple[Direction, bool]:
    assert end.negotiated is not None
    return end.negotiated.direction, end.negotiated.hold


@pytest.mark.parametrize("version", [4, 6])
def test_we_hold_and_resume(version: int) -> None:
    ours, theirs = ends(version)
    exchange(ours, theirs)
    ours.direction = "sendonly"
    exchange(ours, theirs)
    assert state(ours) == ("sendonly", False)
    assert state(theirs) == ("recvonly", True)
    ours.direction = "sendrecv"
    exchange(ours, theirs)
    assert state(ours) == state(theirs) == ("sendrecv", False)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("we_resume_first", [True, False])
def test_both_hold_at_once_and_resume_one_after_the_other(
    version: int, we_resume_first: bool
) -> None:
    ours, theirs = ends(version)
    exchange(ours, theirs)
    ours.direction = "sendonly"
    exchange(ours, theirs)
    theirs.direction = "sendonly"
    exchange(theirs, ours)
    assert state(ours) == state(theirs) == ("inactive", True)
    first, last = (ours, theirs) if we_resume_first else (theirs, ours)
    first.direction = "sendrecv"
    exchange(first, last)
    assert state(first) == ("recvonly", True)
    assert state(last) == ("sendonly", False)
    last.direction = "sendrecv"
    exchange(last, first)
    assert state(ours) == state(theirs) == ("sendrecv", False)


@pytest.mark.parametrize("version", [4, 6])
def test_a_hold_by_the_unspecified_address(version: int) -> None:
    ours, theirs = ends(version)
    exchange(theirs, ours)
    offer = theirs.create_offer()
    _, address, nowhere = ADDRESSES[version]
    held = offer.replace(f"c=IN IP{version} {address}".encode(),
                         f"c=IN IP{version} {nowhere}".encode())  # fmt: skip
    answer = ours.answer(held)
    assert answer.media.remote is None
    assert state(ours) == ("recvonly", True)
    assert parse(answer.sdp).media[0].direction == "recvonly"
    theirs.withdraw_offer()
    exchange(theirs, ours)
    assert state(ours) == ("sendrecv", False)
    assert ours.negotiated is not None
    assert ours.negotiated.remote == (address, 5000)


def test_the_unspecified_address_while_we_hold_too() -> None:
    ours, theirs = ends()
    exchange(theirs, ours)
    ours.direction = "sendonly"
    held = theirs.create_offer().replace(b"c=IN IP4 192.0.2.2", b"c=IN IP4 0.0.0.0")
    assert ours.answer(held).media.direction == "inactive"
    assert state(ours) == ("inactive", True)


def test_a_held_peer_that_only_listens_is_not_holding_us() -> None:
    ours, theirs = ends()
    theirs.direction = "recvonly"
    exchange(theirs, ours)
    assert state(ours) == ("sendonly", False)
