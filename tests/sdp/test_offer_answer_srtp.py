"""SRTP in offer and answer: RTP/SAVP with a=crypto (RFC 4568 sections 5 and 7)."""

from __future__ import annotations

import base64
import re

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sdp.description import parse
from telephony.sdp.offer_answer import LocalMedia, NotAcceptable, OfferAnswer
from telephony.sdp.profiles import SrtpMode

CM80, CM32 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
THEIR_KEY = bytes(range(30))


def end(mode: SrtpMode, seed: int = 1, **options: object) -> OfferAnswer:
    local = LocalMedia(f"192.0.2.{seed}", 4000, srtp=mode, **options)  # type: ignore[arg-type]
    return OfferAnswer(local, Ids.seeded(seed))


def offer(
    *cryptos: str, protocol: str = "RTP/SAVP", address: str = "IP4 192.0.2.9", extra: str = ""
) -> bytes:
    lines = "".join(f"a=crypto:{crypto}\n" for crypto in cryptos)
    head = f"v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN {address}\nt=0 0\n"
    return f"{head}m=audio 5000 {protocol} 0\n{lines}{extra}".encode()


def crypto(tag: int = 1, suite: str = CM80, key: bytes = THEIR_KEY) -> str:
    return f"{tag} {suite} inline:{base64.b64encode(key).decode()}"


def cryptos_of(sdp: bytes) -> list[str]:
    return [value or "" for name, value in parse(sdp).media[0].attributes if name == "crypto"]


@pytest.mark.parametrize("protocol", ["RTP/SAVP", "RTP/SAVPF"])
@pytest.mark.parametrize("mode", ["optional", "required"])
def test_a_secure_offer_is_answered_in_kind(mode: SrtpMode, protocol: str) -> None:
    answer = end(mode).answer(offer(crypto(4), crypto(5, CM32), protocol=protocol))
    (line,) = cryptos_of(answer.sdp)
    assert line.startswith(f"4 {CM80} inline:")
    assert parse(answer.sdp).media[0].protocol == protocol
    keys = answer.media.srtp
    assert keys is not None
    assert (keys.suite, keys.receive_key) == (CM80, THEIR_KEY)
    assert base64.b64encode(keys.send_key).decode() in line


def test_off_refuses_srtp_and_offers_rtp() -> None:
    with pytest.raises(NotAcceptable) as caught:
        end("off").answer(offer(crypto()))
    assert (caught.value.status, caught.value.warning_code) == (488, 302)
    assert b"RTP/AVP" in end("off").create_offer()


def test_optional_takes_rtp_too_and_offers_it() -> None:
    answer = end("optional").answer(offer(crypto(), protocol="RTP/AVP"))
    assert answer.media.srtp is None
    assert cryptos_of(answer.sdp) == []
    assert parse(end("optional").create_offer()).media[0].protocol == "RTP/AVP"


def test_required_takes_srtp_alone_and_offers_it() -> None:
    with pytest.raises(NotAcceptable) as caught:
        end("required").answer(offer(protocol="RTP/AVP"))
    assert "SRTP is required" in caught.value.warning_value
    sdp = end("required").create_offer()
    assert parse(sdp).media[0].protocol == "RTP/SAVP"
    assert len(cryptos_of(sdp)) == 4


@pytest.mark.parametrize("lines", [(), (crypto() + " UNENCRYPTED_SRTP",), (crypto(1, "NULL"),)])
def test_without_a_usable_key_the_offer_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(NotAcceptable) as caught:
        end("optional").answer(offer(*lines))
    assert "No usable a=crypto" in caught.value.warning_value
    assert base64.b64encode(THEIR_KEY).decode() not in caught.value.warning_value


def test_required_without_a_suite_is_our_fault() -> None:
    with pytest.raises(LocalProtocolError):
        end("required", srtp_suites=()).create_offer()


def test_two_ends_have_the_same_keys() -> None:
    one, other = end("required", 1), end("optional", 2)
    answer = other.answer(one.create_offer())
    ours, theirs = one.receive_answer(answer.sdp).srtp, answer.media.srtp
    assert ours is not None
    assert theirs is not None
    assert ours.suite == theirs.suite == "AEAD_AES_256_GCM"
    assert (ours.send_key, ours.receive_key) == (theirs.receive_key, theirs.send_key)


def test_refreshes_of_either_side_keep_all_keys() -> None:
    one, other = end("required", 1), end("required", 2)
    first = one.receive_answer(other.answer(one.create_offer()).sdp).srtp
    again = one.receive_answer(other.answer(one.create_offer()).sdp).srtp
    back = one.answer(other.create_offer())
    assert again == first == back.media.srtp
    assert other.receive_answer(back.sdp).srtp is not None


def test_another_key_of_the_peer_gets_another_of_ours() -> None:
    ours = end("required")
    first = ours.answer(offer(crypto())).media.srtp
    second = ours.answer(offer(crypto(key=bytes(30)))).media.srtp
    assert first is not None
    assert second is not None
    assert first.send_key != second.send_key


def test_a_refused_offer_leaves_the_keys_in_force() -> None:
    ours = end("required")
    first = ours.answer(offer(crypto())).media.srtp
    with pytest.raises(NotAcceptable):
        ours.answer(offer(crypto(key=bytes(30)), address="IP4 224.0.0.1"))
    assert ours.answer(offer(crypto())).media.srtp == first


@pytest.mark.parametrize(
    "answer",
    [
        offer(protocol="RTP/AVP"),
        offer(),
        offer(crypto(9)),
        offer(crypto(1)),
        offer(crypto(1, CM80) + " UNAUTHENTICATED_SRTP"),
    ],
)
def test_answers_that_are_none_to_our_offer(answer: bytes) -> None:
    ours = end("required")
    ours.create_offer()  # its tag 1 is another suite
    with pytest.raises(NotAcceptable):
        ours.receive_answer(answer)
    assert ours.offer_pending


def test_an_answer_may_not_begin_srtp_that_was_not_offered() -> None:
    ours = end("optional")
    ours.create_offer()
    with pytest.raises(NotAcceptable, match="another profile"):
        ours.receive_answer(offer(crypto()))


def test_forks_answer_one_offer_with_keys_of_their_own() -> None:
    ours = end("required")
    ours.create_offer()
    media = [
        ours.receive_answer(offer(crypto(tag, suite, bytes([tag]) * 30))).srtp
        for tag, suite in ((3, CM80), (4, CM32), (3, CM80))
    ]
    assert all(media)
    assert media[0] == media[2]
    assert media[0] is not None
    assert media[1] is not None
    assert media[0].send_key != media[1].send_key


def test_a_peer_may_turn_to_srtp_and_back_where_it_is_optional() -> None:
    ours = end("optional")
    assert ours.answer(offer(protocol="RTP/AVP")).media.srtp is None
    assert ours.answer(offer(crypto())).media.srtp is not None
    assert parse(ours.create_offer()).media[0].protocol == "RTP/SAVP"
    ours.withdraw_offer()
    assert ours.answer(offer(protocol="RTP/AVP")).media.srtp is None
    assert parse(ours.create_offer()).media[0].protocol == "RTP/AVP"


def test_of_two_audio_lines_the_one_that_the_policy_takes() -> None:
    both = offer(protocol="RTP/AVP") + f"m=audio 6000 RTP/SAVP 0\na=crypto:{crypto()}\n".encode()
    assert end("required").answer(both).media.remote == ("192.0.2.9", 6000)
    assert end("off").answer(both).media.remote == ("192.0.2.9", 5000)


def test_mki_lifetime_and_window_reach_the_media() -> None:
    line = crypto() + "|2^31|1:4 WSH=256"
    keys = end("required").answer(offer(line)).media.srtp
    assert keys is not None
    assert keys.receive_mki == bytes(3) + b"\x01"
    assert (keys.receive_lifetime_packets, keys.replay_window_packets) == (1 << 31, 256)


def test_no_text_of_ours_shows_a_key() -> None:
    ours = end("required")
    answer = ours.answer(offer(crypto()))
    assert answer.media.srtp is not None
    secrets = [answer.media.srtp.send_key, THEIR_KEY]
    texts = [repr(answer), repr(answer.media), repr(parse(answer.sdp)), repr(ours.negotiated)]
    for broken in (b"v=0\n" + crypto().encode(), offer(crypto()) + b"crypto:" + THEIR_KEY):
        with pytest.raises(NotAcceptable) as caught:
            ours.answer(broken)
        texts += [str(caught.value), repr(caught.value), repr(caught.value.__cause__)]
    for secret in secrets:
        encoded = re.escape(base64.b64encode(secret).decode()[:12])
        for text in texts:
            assert not re.search(encoded, text)
            assert repr(secret)[2:14] not in text
