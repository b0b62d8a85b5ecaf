from __future__ import annotations

from typing import Any

import pytest

from telephony.audio import tones
from telephony.audio.format import PCMU
from telephony.audio.g711 import l16_to_pcmu
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import DigitsSent
from telephony.dtmf.event_packets import EventPacket
from telephony.dtmf.telephone_event import parse_event
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.media_digits import DigitRoute, MediaDigits
from tests.stacks.test_rtp_media import negotiated

SILENCE = b"\xff" * 160
TONE = l16_to_pcmu(tones.dtmf("5", 200))
WITHOUT_EVENTS = negotiated(telephone_event_payload_type=None)


class Scene:
    def __init__(self, route: DigitRoute | None = None, **config: Any) -> None:
        self.told = ""
        media = MediaConfig("127.0.0.1", **config)
        self.digits = MediaDigits(media, self._digit, route)

    def _digit(self, digit: str) -> None:
        self.told += digit

    def hear(self, pcmu: bytes) -> None:
        for start in range(0, len(pcmu), 160):
            self.digits.hear(pcmu[start : start + 160], SILENCE, 0.0)


def test_nothing_is_sent_before_media_is_negotiated() -> None:
    with pytest.raises(LocalProtocolError):
        Scene().digits.send("1", None)


def test_the_leg_may_want_another_way_than_the_plane() -> None:
    scene = Scene(DigitRoute("inband"), dtmf="rfc4733")
    scene.digits.negotiated(negotiated(), PCMU, 8000)
    scene.digits.send("1", None)
    assert isinstance(scene.digits.next_step(), bytes)
    scene = Scene(DigitRoute(), dtmf="rfc4733")
    scene.digits.negotiated(negotiated(), PCMU, 8000)
    scene.digits.send("1", None)
    assert isinstance(scene.digits.next_step(), EventPacket)


def test_events_have_the_clock_of_their_payload_type() -> None:
    scene = Scene()
    scene.digits.negotiated(negotiated(), PCMU, 48000)
    scene.digits.send("1", None)
    step = scene.digits.next_step()
    assert isinstance(step, EventPacket)
    assert parse_event(step.payload).duration_samples == 960


def test_the_echo_of_our_own_tones_is_no_key() -> None:
    scene = Scene()
    scene.digits.negotiated(WITHOUT_EVENTS, PCMU, 8000)
    scene.digits.send("1", None)
    scene.hear(TONE)
    assert scene.told == ""
    while scene.digits.sending:
        scene.digits.next_step()
    scene.hear(TONE)
    assert scene.told == "5"


def test_what_was_not_sent_at_the_end_is_told() -> None:
    scene, sent = Scene(), list[DigitsSent]()
    scene.digits.negotiated(negotiated(), PCMU, 8000)
    scene.digits.send("1", sent.append)
    scene.digits.close()
    scene.digits.close()
    assert sent == [DigitsSent("", "rfc4733", "the call is over")]
    assert not scene.digits.sending
