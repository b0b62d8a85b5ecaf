from __future__ import annotations

from telephony.base.ids import Ids
from telephony.sdp.crypto import SUITES, Crypto
from telephony.sdp.description import MediaDescription
from telephony.sdp.keying import Keying, attributes_of

CM80, CM32 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"


def line(*cryptos: Crypto) -> MediaDescription:
    attributes = tuple(attributes_of(cryptos))
    return MediaDescription("audio", 4000, "RTP/SAVP", ("0",), attributes=attributes)


def peer(tag: int = 1, suite: str = CM80, seed: int = 1) -> Crypto:
    return Crypto(tag, suite, bytes([seed]) * 30)


def test_an_offer_has_a_line_and_a_key_of_its_own_for_every_suite() -> None:
    offered = Keying(Ids.seeded(1)).offer(SUITES)
    assert [crypto.suite for crypto in offered] == list(SUITES)
    assert [crypto.tag for crypto in offered] == [1, 2, 3, 4]
    assert len({crypto.key for crypto in offered}) == 4


def test_an_offer_repeated_is_the_same() -> None:
    keying = Keying(Ids.seeded(1))
    assert keying.offer(SUITES) == keying.offer(SUITES)


def test_an_answer_takes_tag_and_suite_of_the_first_usable_line() -> None:
    keying = Keying(Ids.seeded(1))
    bad = Crypto(3, CM80, b"short")
    choice = keying.answer(line(bad, peer(5, CM32), peer(6)), SUITES)
    assert choice is not None
    assert (choice.ours.tag, choice.ours.suite) == (5, CM32)
    assert choice.ours.key != choice.theirs.key
    assert choice.keys.receive_key == peer().key
    assert keying.answer(line(bad), SUITES) is None
    assert keying.answer(line(peer()), (CM32,)) is None


def test_our_key_stays_with_that_of_the_peer() -> None:
    keying = Keying(Ids.seeded(1))
    first = keying.answer(line(peer()), SUITES)
    keying.agree(first)
    again = keying.answer(line(peer(tag=4)), SUITES)
    other = keying.answer(line(peer(seed=2)), SUITES)
    assert first is not None
    assert again is not None
    assert other is not None
    assert again.ours.key == first.ours.key
    assert again.ours.tag == 4
    assert other.ours.key != first.ours.key


def test_nothing_changes_until_both_agree() -> None:
    keying = Keying(Ids.seeded(1))
    first = keying.answer(line(peer()), SUITES)
    second = keying.answer(line(peer()), SUITES)
    assert first is not None
    assert second is not None
    assert first.ours.key != second.ours.key


def test_the_answer_has_to_name_a_line_of_the_offer() -> None:
    keying = Keying(Ids.seeded(1))
    offered = keying.offer((CM80, CM32))
    choice = keying.take_answer(line(peer(2, CM32)), offered)
    assert choice is not None
    assert choice.ours == offered[1]
    assert keying.take_answer(line(peer(1, CM32)), offered) is None
    assert keying.take_answer(line(peer(3)), offered) is None
    assert keying.take_answer(line(), offered) is None


def test_the_line_in_use_is_offered_first_with_its_key_and_tag() -> None:
    keying = Keying(Ids.seeded(1))
    offered = keying.offer((CM80, CM32))
    keying.agree(keying.take_answer(line(peer(2, CM32)), offered))
    again = keying.offer((CM80, CM32))
    assert again == (offered[1], offered[0])
    assert keying.offer((CM80, CM32)) == again


def test_plain_rtp_forgets_the_keys() -> None:
    keying = Keying(Ids.seeded(1))
    offered = keying.offer((CM80,))
    keying.agree(keying.take_answer(line(peer()), offered))
    keying.agree(None)
    assert keying.offer((CM80,))[0].key != offered[0].key


def test_lines_without_end_are_not_read() -> None:
    keying = Keying(Ids.seeded(1))
    assert keying.answer(line(*[Crypto(n, CM80, b"") for n in range(16)], peer()), SUITES) is None


def test_keys_are_in_no_repr() -> None:
    keying = Keying(Ids.seeded(1))
    choice = keying.answer(line(peer(seed=65)), SUITES)
    assert choice is not None
    ours = repr(choice.ours.key)[2:12]
    for text in (repr(choice), repr(choice.keys), repr(line(peer(seed=65))), repr(keying)):
        assert "AAAA" not in text
        assert ours not in text
        assert "inline" not in text
