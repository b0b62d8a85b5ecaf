from __future__ import annotations

import pytest

from telephony.base.ids import Ids
from telephony.sdp.crypto import SUITES
from telephony.sdp.offer_answer import LocalMedia, NotAcceptable, OfferAnswer
from telephony.stacks.pjsip.offer_check import check_offer


def offer(*codecs: str, srtp: str = "off") -> bytes:
    local = LocalMedia("192.0.2.1", 4000, codecs, srtp=srtp)  # type: ignore[arg-type]
    return OfferAnswer(local, Ids.seeded(1)).create_offer()


def test_the_codec_of_the_answer_is_known_beforehand() -> None:
    ids = Ids.seeded(2)
    assert check_offer(offer("pcma", "pcmu"), ("pcmu", "pcma"), "off", SUITES, ids) == "pcma"
    assert check_offer(offer("pcma", "pcmu"), ("pcmu",), "off", SUITES, ids) == "pcmu"


@pytest.mark.parametrize(
    ("offered", "srtp", "status"),
    [
        (offer("pcma"), "off", 488),
        (offer("pcmu"), "required", 488),
        (offer("pcmu", srtp="required"), "off", 488),
        (b"v=0\r\nnonsense", "off", 400),
    ],
)
def test_what_our_policy_refuses(offered: bytes, srtp: str, status: int) -> None:
    with pytest.raises(NotAcceptable) as caught:
        check_offer(offered, ("pcmu",), srtp, SUITES, Ids.seeded(2))  # type: ignore[arg-type]
    assert caught.value.status == status
