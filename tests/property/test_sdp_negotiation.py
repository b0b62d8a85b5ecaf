"""Whatever two ends of ours want, they agree, and both see the same stream."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.sdp.codecs import clock_rate_of
from telephony.sdp.description import DIRECTIONS, parse
from telephony.sdp.offer_answer import LocalMedia, NotAcceptable, OfferAnswer

CODECS = st.permutations(["pcmu", "pcma", "g722", "opus"]).flatmap(
    lambda codecs: st.integers(1, 4).map(lambda count: tuple(codecs[:count]))
)
STEPS = st.lists(
    st.tuples(
        st.booleans(), st.sampled_from(DIRECTIONS), st.sampled_from(DIRECTIONS), CODECS, CODECS
    ),
    min_size=1,
    max_size=6,
)
MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly"}


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_both_ends_agree(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    ends = [OfferAnswer(LocalMedia(f"192.0.2.{n}", 4000), Ids.seeded(n)) for n in (1, 2)]
    for swapped, *wanted in steps:
        offerer, answerer = reversed(ends) if swapped else ends
        offerer.direction, answerer.direction = wanted[0], wanted[1]
        offerer.local = LocalMedia(offerer.local.address, 4000, wanted[2])
        answerer.local = LocalMedia(answerer.local.address, 4000, wanted[3])
        offer = offerer.create_offer()
        try:
            answer = answerer.answer(offer)
        except NotAcceptable:
            assert not set(wanted[2]) & set(wanted[3])
            offerer.withdraw_offer()
            continue
        media = offerer.receive_answer(answer.sdp)
        assert media.encoding == answer.media.encoding
        assert media.event_clock_rate_hz == answer.media.event_clock_rate_hz
        assert media.clock_rate_hz % clock_rate_of(media.encoding) == 0
        for mine, yours in ((media, answer.media), (answer.media, media)):
            assert yours.receive_payload_types[mine.send_payload_type] == mine.encoding
            assert mine.telephone_event_payload_type not in mine.receive_payload_types
        assert answer.media.direction == MIRROR.get(media.direction, "inactive")
        assert len(parse(answer.sdp).media) == len(parse(offer).media)
