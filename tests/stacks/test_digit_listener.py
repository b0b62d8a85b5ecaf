from __future__ import annotations

from typing import Any

import pytest

from telephony.audio import tones
from telephony.audio.format import L16_8K, PCMU
from telephony.audio.g711 import l16_to_pcmu
from telephony.dtmf.event_packets import event_packets
from telephony.rtp.packet import RtpPacket, parse_packet
from telephony.rtp.packetizer import Packetizer
from telephony.stacks.digit_listener import DigitListener

SILENCE = b"\xff" * 160


class Scene:
    def __init__(self, mode: Any = "auto", ptime_ms: int = 20) -> None:
        self.told: list[Any] = []
        self.now = 0.0
        self.listener = DigitListener(mode, ptime_ms, self.told.append, self._finished)

    def _finished(self, digit: str, duration_ms: int) -> None:
        self.told.append((digit, duration_ms))

    def receive(self, packets: list[RtpPacket]) -> None:
        for packet in packets:
            self.listener.receive([packet], self.now)
            self.now += 0.02

    def hear(self, pcmu: bytes) -> list[bytes]:
        frames = (pcmu[start : start + 160] for start in range(0, len(pcmu), 160))
        return [self.listener.hear(frame, SILENCE) for frame in frames]


def packets(digit: str, timestamp: int, ssrc: int = 7) -> list[RtpPacket]:
    peer = Packetizer(0, ssrc, 100, 1000)
    return [
        parse_packet(peer.packetize_event(sent.payload, 101, timestamp, sent.start))
        for sent in event_packets(digit, 100)
    ]


def tone(digit: str, tone_ms: int = 100, silence_ms: int = 60) -> bytes:
    return l16_to_pcmu(tones.dtmf(digit, tone_ms) + tones.silence(silence_ms))


def test_a_key_goes_down_and_up_once() -> None:
    scene = Scene()
    scene.receive(packets("1", 0) + packets("2", 4000))
    assert scene.told == ["1", ("1", 100), "2", ("2", 100)]


def test_a_key_whose_end_is_lost_goes_up_by_the_timer() -> None:
    scene = Scene()
    scene.receive(packets("1", 0)[:3])
    assert scene.told == ["1"]
    assert scene.now < scene.listener.next_timer < scene.now + 1
    scene.listener.handle_timer(scene.now + 1)
    assert scene.told == ["1", ("1", 60)]


def test_a_lone_end_packet_is_a_key() -> None:
    scene = Scene()
    scene.receive(packets("1", 0)[-1:])
    assert scene.told == ["1", ("1", 100)]


def test_another_ssrc_counts_anew() -> None:
    scene = Scene()
    scene.receive(packets("1", 100_000, ssrc=1)[:3] + packets("2", 100, ssrc=2))
    assert scene.told == ["1", ("1", 60), "2", ("2", 100)]


@pytest.mark.parametrize(
    ("mode", "event", "listens"),
    [
        ("auto", True, False),
        ("auto", False, True),
        ("inband", True, True),
        ("rfc4733", False, False),
        ("info", False, False),
    ],
)
def test_when_tones_are_listened_for(mode: str, event: bool, listens: bool) -> None:
    scene = Scene(mode)
    assert not scene.listener.listens
    scene.listener.negotiated(event, PCMU)
    assert scene.listener.listens is listens


def test_tones_go_down_and_up_and_are_not_heard() -> None:
    scene = Scene()
    scene.listener.negotiated(False, PCMU)
    audio = tone("5") + tone("6", 200)
    frames = scene.hear(audio)
    assert scene.told == ["5", ("5", 100), "6", ("6", 200)]
    assert frames[1:5] == [SILENCE] * 4
    assert len(frames) == len(audio) // 160


def test_the_line_may_be_linear() -> None:
    scene = Scene()
    scene.listener.negotiated(False, L16_8K)
    audio = tones.dtmf("5", 100) + tones.silence(100)
    for start in range(0, len(audio), 320):
        scene.listener.hear(audio[start : start + 320], bytes(320))
    assert scene.told == ["5", ("5", 100)]


def test_a_better_way_that_is_negotiated_later_ends_the_listening() -> None:
    scene = Scene()
    scene.listener.negotiated(False, PCMU)
    scene.hear(tone("5", 60, 0))
    scene.listener.negotiated(True, PCMU)
    assert scene.told == ["5", ("5", 60)]
    assert not scene.listener.listens
    scene.listener.negotiated(False, PCMU)
    scene.hear(tone("5"))
    assert scene.told[2:] == ["5", ("5", 100)]
