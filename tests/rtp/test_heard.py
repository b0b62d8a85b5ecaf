"""Packets in, what the sink hears out, with the 20 ms clock of the test."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import numpy as np
import pytest

from telephony.audio import g711
from telephony.audio.codecs import FACES
from telephony.audio.format import PCMA, PCMU, AudioFormat
from telephony.audio.frame_converter import Face
from telephony.audio.level import dbfs
from telephony.base.ids import Ids
from telephony.rtp.heard import HeardAudio
from telephony.rtp.packet import RtpPacket
from telephony.rtp.session import RtpSession, RtpSessionConfig

PEER = ("192.0.2.1", 4000)
SILENCE = b"\xff" * 160
TIME_S = np.arange(20 * 160) / 8000
VOWEL = np.rint(
    4000 * sum(np.sin(2 * np.pi * 125 * k * TIME_S + k) / k for k in range(1, 25))
).astype("<i2")
VOICE = [g711.l16_to_pcmu(VOWEL[at : at + 160].tobytes()) for at in range(0, 3200, 160)]
"""A vowel at 125 Hz; after the last frame the first goes on."""


class Scene:
    def __init__(self, face: AudioFormat = PCMU) -> None:
        config = RtpSessionConfig({0: "pcmu", 8: "pcma"}, 0, 101, remote=PEER)
        self.session = RtpSession(config, Ids.seeded(1), 0.0)
        self.heard = HeardAudio(self.session, FACES, Face(face, 20), 20)
        self.tick = self.sent = 0

    def send(self, index: int, now: float, payload: bytes | None = None, kind: int = 0) -> None:
        packet = RtpPacket(
            kind,
            False,
            index & 0xFFFF,
            index * 160,
            7,
            VOICE[index % 20] if payload is None else payload,
        )
        self.session.receive_datagram(packet.serialize(), PEER, now)

    def hear(
        self, count: int, *, lost: Iterable[int] = (), payload: bytes | None = None
    ) -> list[bytes]:
        """Send a packet and hear a frame, ``count`` times; ``lost`` are numbers of packets."""
        frames = []
        for _ in range(count):
            now = self.tick * 0.02
            if self.sent not in lost:
                self.send(self.sent, now, payload)
            frames.append(self.heard.next_frame(now + 0.005))
            self.sent += 1
            self.tick += 1
        return frames

    def wait(self, count: int) -> list[bytes]:
        """Hear frames while nothing comes."""
        self.tick += count
        return [
            self.heard.next_frame((self.tick - count + index) * 0.02 + 0.005)
            for index in range(count)
        ]


def samples(frames: Iterable[bytes]) -> np.ndarray:
    return np.frombuffer(g711.pcmu_to_l16(b"".join(frames)), "<i2").astype(float)


def test_what_comes_in_time_is_heard_untouched() -> None:
    scene = Scene()
    frames = scene.hear(50)
    assert frames[:2] == [SILENCE] * 2
    assert frames[2:] == [VOICE[index % 20] for index in range(48)]
    assert scene.heard.stats.concealed_ms == 0


def test_another_encoding_is_translated() -> None:
    scene = Scene(PCMA)
    assert scene.hear(10)[-1] == g711.pcmu_to_pcma(VOICE[7])
    scene.heard.show(Face(PCMU, 20))
    assert scene.hear(1)[-1] == VOICE[8]
    assert scene.wait(20)[-1] == SILENCE


def test_before_the_first_frame_there_is_silence_and_no_loss() -> None:
    scene = Scene()
    assert scene.wait(5) == [SILENCE] * 5
    assert (scene.heard.stats.gap_ms, scene.heard.stats.concealed_ms) == (100, 0)


def test_a_loss_is_bridged_to_the_frame_after_it() -> None:
    """A steady voice: what was made up is what was lost, nearly."""
    scene = Scene()
    frames = scene.hear(60, lost=[30])
    assert scene.heard.stats.concealed_ms == 20
    made_up, original = samples([frames[32]]), samples([VOICE[10]])
    error = np.sqrt(((made_up - original) ** 2).mean()) / np.sqrt((original**2).mean())
    assert error < 0.1
    assert frames[33] == VOICE[11]


def test_a_long_loss_fades_and_is_silence_then() -> None:
    scene = Scene()
    scene.hear(30)
    frames = scene.wait(20)
    levels = [dbfs(g711.pcmu_to_l16(frame)) for frame in frames[2:8]]
    assert levels[0] > levels[2] > levels[4] > -50
    assert frames[-1] == SILENCE
    assert scene.heard.stats.concealed_ms == 100


def test_comfort_noise_is_heard_at_the_level_told() -> None:
    scene = Scene()
    scene.hear(30)
    scene.send(scene.sent, scene.tick * 0.02, b"\x32", kind=13)
    frames = scene.wait(50)
    noise = samples(frames[10:])
    level = 20 * np.log10(np.sqrt((noise**2).mean()) / 32768)
    assert level == pytest.approx(-50.2, abs=1)
    stats = scene.heard.stats
    assert stats.gap_ms - 40 == stats.comfort_noise_ms == 48 * 20
    assert stats.concealed_ms == 0


def test_silence_without_a_level_is_silence() -> None:
    scene = Scene()
    scene.hear(30)
    scene.send(scene.sent, scene.tick * 0.02, b"\x7f", kind=13)
    assert scene.wait(50)[10:] == [SILENCE] * 40


def surplus(scene: Scene) -> None:
    """A burst after a stall: 100 ms more than the target are held."""
    scene.hear(600)
    scene.wait(6)
    for _ in range(6):
        scene.send(scene.sent, scene.tick * 0.02)
        scene.sent += 1


def test_too_much_delay_is_taken_out_by_whole_periods() -> None:
    scene = Scene()
    surplus(scene)
    frames = scene.hear(200)
    stats = scene.heard.stats
    assert abs(stats.accelerated_ms * 8 - 64 * round(stats.accelerated_ms * 8 / 64)) <= 4
    assert stats.accelerated_ms * 8 >= 320
    assert scene.session.jitter.stats.discarded == 0
    assert scene.session.jitter.delay_ms < 70
    jumps = np.abs(np.diff(samples(frames[8:])))
    assert jumps.max() <= np.abs(np.diff(VOWEL.astype(float))).max() * 1.1


def test_a_pause_takes_away_what_is_held() -> None:
    scene = Scene()
    surplus(scene)
    scene.hear(60)
    scene.hear(20, payload=SILENCE)
    assert scene.heard.held_ms == 0
    assert scene.hear(30)[-1] in VOICE


def test_noise_is_shortened_too() -> None:
    noise = np.random.default_rng(1).normal(0, 3000, 160).astype("<i2").tobytes()
    scene = Scene()
    surplus(scene)
    scene.hear(300, payload=g711.l16_to_pcmu(noise))
    assert scene.session.jitter.delay_ms + scene.heard.held_ms < 90


def test_too_little_delay_is_put_in_by_whole_periods() -> None:
    scene = Scene()
    scene.hear(60)
    estimate = scene.session.jitter._estimate
    before_ms = scene.session.jitter.delay_ms
    estimate.target = 800
    scene.session.jitter._set_bounds()
    frames = scene.hear(20)
    stats = scene.heard.stats
    assert stats.decelerated_ms * 8 >= 160
    assert abs(stats.decelerated_ms * 8 - 64 * round(stats.decelerated_ms * 8 / 64)) <= 4
    assert scene.session.jitter.delay_ms > before_ms + 15
    assert stats.concealed_ms == 0
    jumps = np.abs(np.diff(samples(frames)))
    assert jumps.max() <= np.abs(np.diff(VOWEL.astype(float))).max() * 1.1


def test_a_loss_while_speech_is_stretched_keeps_the_frame_size() -> None:
    scene = Scene()
    surplus(scene)
    frames = scene.hear(100, lost=range(610, 700, 7))
    assert {len(frame) for frame in frames} == {160}


@pytest.mark.parametrize("size", [80, 160, 240, 320, 480])
def test_packets_of_any_duration_are_heard_without_a_hole(size: int) -> None:
    scene = Scene()
    stream = b"".join(VOICE) * 10
    frames: list[bytes] = []
    at = sequence = 0
    for tick in range(150):
        now = tick * 0.02
        while (at + size) / 8000 <= now:
            packet = RtpPacket(0, False, sequence, at, 7, stream[at : at + size])
            scene.session.receive_datagram(packet.serialize(), PEER, now)
            at, sequence = at + size, sequence + 1
        frames.append(scene.heard.next_frame(now + 0.005))
    heard = b"".join(frames).lstrip(b"\xff")
    assert len(heard) > 2.8 * 8000
    assert heard[-16000:] in stream * 2


@pytest.mark.parametrize("size", [80, 160, 240, 480])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_losses_leave_no_hole(size: int, seed: int) -> None:
    """5 % of the packets are lost: a steady voice is heard all the time, 10 ms by 10 ms."""
    random = Random(seed)
    scene = Scene()
    stream = b"".join(VOICE)
    frames: list[bytes] = []
    at = sequence = 0
    for tick in range(500):
        now = tick * 0.02
        while (at + size) / 8000 <= now:
            payload = bytes(stream[(at + offset) % 3200] for offset in range(size))
            packet = RtpPacket(0, False, sequence, at, 7, payload)
            if random.random() >= 0.05:
                scene.session.receive_datagram(packet.serialize(), PEER, now)
            at, sequence = at + size, sequence + 1
        frames.append(scene.heard.next_frame(now + 0.005))
        assert len(frames[-1]) == 160
    stats, jitter = scene.heard.stats, scene.session.jitter.stats
    assert jitter.lost > 5
    assert stats.concealed_ms * 8 >= jitter.lost * size * 0.9
    heard = samples(frames[15:])
    levels = np.sqrt((heard.reshape(-1, 80) ** 2).mean(axis=1))
    quiet = "".join("-" if level < 150 else "v" for level in levels)
    assert "-" * 7 not in quiet, "more than 60 ms of silence"
