"""Recorded speech as G.722, 16 kHz: what is concealed and stretched still is that speech."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from telephony.audio.codecs import FACES
from telephony.audio.convert import Converter
from telephony.audio.format import L16_16K, L16_24K
from telephony.audio.frame_converter import Face
from telephony.audio.g722 import G722Decoder, G722Encoder
from telephony.audio.pitch import likeness
from telephony.audio.wav import read_wav
from telephony.base.ids import Ids
from telephony.rtp.frames import JitterConfig
from telephony.rtp.heard import HeardAudio
from telephony.rtp.packet import RtpPacket
from telephony.rtp.session import RtpSession, RtpSessionConfig
from telephony.stacks.wire_codec import PAYLOAD_FORMATS

PEER = ("192.0.2.1", 4000)
PROMPT = Path(__file__).parents[2] / "telephony" / "rehearsal" / "prompts" / "opening_hours.wav"
PER_MS = 16
WINDOW = 30 * PER_MS
SEARCH = 120 * PER_MS

Samples = npt.NDArray[np.float64]


def spoken() -> bytes:
    wav = read_wav(PROMPT.read_bytes())
    assert wav.sample_rate_hz == 24000
    pcm16 = Converter(L16_24K, L16_16K).convert(wav.pcm16)
    return G722Encoder().encode(pcm16[: len(pcm16) // 640 * 640] * 8)


SPOKEN = spoken()
SENT: Samples = np.frombuffer(G722Decoder().decode(SPOKEN), "<i2").astype(float)


def hear(
    arrives_s: Callable[[int], float | None], ptime_ms: int = 20
) -> tuple[Samples, HeardAudio, RtpSession]:
    """Send the speech in packets that arrive at these times (None: never), and listen."""
    config = RtpSessionConfig(
        {9: "g722"}, 9, remote=PEER, formats=PAYLOAD_FORMATS, jitter=JitterConfig(min_ms=40)
    )
    session = RtpSession(config, Ids.seeded(1), 0.0)
    heard = HeardAudio(session, FACES, Face(L16_16K, 20), 20)
    size = 8 * ptime_ms
    arrivals = []
    for index, at in enumerate(range(0, len(SPOKEN) - size + 1, size)):
        time_s = arrives_s(index)
        if time_s is not None:
            packet = RtpPacket(9, index == 0, index, at, 7, SPOKEN[at : at + size])
            arrivals.append((time_s, packet.serialize()))
    arrivals.sort(key=lambda arrival: arrival[0])
    frames, ticks = [], int(len(SPOKEN) / 160 + 25)
    for tick in range(ticks):
        now = tick * 0.02 + 0.007
        while arrivals and arrivals[0][0] <= now:
            session.receive_datagram(arrivals[0][1], PEER, arrivals.pop(0)[0])
        frames.append(heard.next_frame(now))
    assert all(len(frame) == 640 for frame in frames)
    return np.frombuffer(b"".join(frames), "<i2").astype(float), heard, session


def found_again(audio: Samples, delay: int, places: Iterable[int] | None = None) -> Samples:
    """Return how much each loud 30 ms of ``audio`` is like the speech around its place in it."""
    alike = []
    for at in places or range(delay + SEARCH, len(audio) - WINDOW, WINDOW):
        window = audio[at : at + WINDOW]
        said = SENT[max(at - delay - SEARCH, 0) : at - delay + WINDOW + SEARCH]
        if np.sqrt((window**2).mean()) > 300 and len(said) > WINDOW:
            alike.append(likeness(said, window).max())
    return np.array(alike)


def test_in_time_it_is_the_speech_itself() -> None:
    audio, heard, _ = hear(lambda index: index * 0.02)
    assert heard.stats.concealed_ms <= 100  # after the end
    assert found_again(audio, 40 * PER_MS).min() > 0.999


@pytest.mark.parametrize("ptime_ms", [10, 20])
@pytest.mark.parametrize("ppm", [1500, -1500])
def test_time_scaling_of_16_khz_leaves_speech_speech(ppm: int, ptime_ms: int) -> None:
    """The clocks differ so much that a pitch period goes in or out every few seconds."""
    interval_s = ptime_ms / 1000 * (1 + ppm * 1e-6)
    audio, heard, session = hear(lambda index: index * interval_s, ptime_ms)
    stats = heard.stats
    assert (stats.decelerated_ms if ppm > 0 else stats.accelerated_ms) > 0
    alike = found_again(audio, 40 * PER_MS)
    assert np.percentile(alike, 5) > 0.8
    assert alike.mean() > 0.97
    # A join is no click: no step is larger than those that speech itself has.
    assert np.abs(np.diff(audio)).max() <= 1.1 * np.abs(np.diff(SENT)).max()
    jitter = session.jitter
    explained = (
        ptime_ms * (jitter.stats.received - jitter.stats.discarded - jitter.packets_held)
        + stats.concealed_ms
        + stats.gap_ms
        + stats.decelerated_ms
        - stats.accelerated_ms
        - heard.held_ms
    )
    assert len(audio) / PER_MS == pytest.approx(explained, abs=ptime_ms)


def test_a_loss_of_20_ms_goes_on_as_the_voice_was() -> None:
    lost = set(range(12, len(SPOKEN) // 160, 9))
    audio, heard, session = hear(lambda index: None if index in lost else index * 0.02)
    assert session.lost >= len(lost) - 1  # the last may be the end
    assert heard.stats.concealed_ms >= 20 * len(lost)
    delay = round(session.jitter.delay_ms * PER_MS)
    places = [index * 320 + delay for index in lost]
    alike = found_again(audio, delay, [at - at % 320 for at in places])
    assert np.median(alike) > 0.75
    level = [
        np.sqrt((audio[at : at + 320] ** 2).mean() / ((SENT[at - delay :][:320] ** 2).mean() + 1))
        for at in places
        if np.sqrt((SENT[at - delay :][:320] ** 2).mean()) > 500
    ]
    assert 0.5 < np.median(level) < 1.3
    assert np.abs(np.diff(audio)).max() <= 1.3 * np.abs(np.diff(SENT)).max()
