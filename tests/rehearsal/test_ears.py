from __future__ import annotations

import numpy as np
import pytest

from telephony.audio import g711
from telephony.audio.format import L16_8K
from telephony.rehearsal.ears import features
from telephony.rehearsal.prompt_library import Prompt, shipped_prompts
from telephony.rehearsal.utterance import resampled
from tests.rehearsal.driver import EARS

CALLER = shipped_prompts().spoken_by("caller")
names = pytest.mark.parametrize("prompt", CALLER, ids=lambda prompt: prompt.name)


def over_the_phone(
    prompt: Prompt,
    *,
    noise_below_db: float | None = None,
    loss: float = 0.0,
    gain: float = 1.0,
    a_law: bool = False,
) -> bytes:
    rng = np.random.default_rng(5)
    speech = np.frombuffer(prompt.pcm16, "<i2").astype(np.float64) * gain
    samples = np.concatenate([np.zeros(2400), speech, np.zeros(4800)])
    if noise_below_db is not None:
        level = np.sqrt((speech**2).mean()) * 10 ** (-noise_below_db / 20)
        samples += rng.normal(0, level, len(samples))
    for at in range(0, len(samples), 160):
        if rng.random() < loss:
            samples[at : at + 160] = 0
    pcm16 = np.clip(samples, -32768, 32767).astype("<i2").tobytes()
    if a_law:
        return g711.pcma_to_l16(g711.l16_to_pcma(pcm16))
    return g711.pcmu_to_l16(g711.l16_to_pcmu(pcm16))


@names
@pytest.mark.parametrize(
    "line",
    [
        {},
        {"a_law": True},
        {"noise_below_db": 20.0},
        {"noise_below_db": 12.0, "loss": 0.03},
        {"loss": 0.1},
        {"gain": 0.1},
        {"gain": 4.0},
    ],
    ids=str,
)
def test_known_phrases_survive_the_phone(prompt, line):
    assert EARS.recognise(over_the_phone(prompt, **line)).text == prompt.text


@pytest.mark.parametrize("prompt", shipped_prompts().spoken_by("model"), ids=lambda p: p.name)
def test_other_speech_is_not_understood(prompt):
    heard = EARS.recognise(resampled(prompt, L16_8K))
    assert heard.text is None
    assert heard.distance > 0.22


@names
def test_half_a_phrase_is_not_understood(prompt):
    assert EARS.recognise(prompt.pcm16[: len(prompt.pcm16) // 4 * 2]).text is None


@names
def test_a_phrase_backwards_is_not_understood(prompt):
    backwards = np.frombuffer(prompt.pcm16, "<i2")[::-1].tobytes()
    assert EARS.recognise(backwards).text is None


@pytest.mark.parametrize("pcm16", [b"", b"\x01", bytes(100), bytes(16000), b"\xff\x7f" * 8000])
def test_no_speech_is_nothing(pcm16):
    assert EARS.recognise(pcm16).text is None


def test_noise_is_nothing():
    noise = np.random.default_rng(1).normal(0, 3000, 16000).astype("<i2").tobytes()
    assert EARS.recognise(noise).text is None


def test_features_do_not_depend_on_loudness():
    loud = CALLER[0].pcm16
    quiet = (np.frombuffer(loud, "<i2") // 4).astype("<i2").tobytes()
    a, b = features(loud), features(quiet)
    assert abs(len(a) - len(b)) <= 2
