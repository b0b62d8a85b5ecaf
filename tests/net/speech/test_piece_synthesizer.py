from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from telephony.audio.format import L16_8K, AudioFormat
from telephony.base.speech import SpeechFailure, WireFormat
from telephony.net.speech.piece_synthesizer import PieceSynthesizer, VoiceAudio
from telephony.net.speech.turn_transcriber import SpeechError
from tests.support.eventually import eventually
from tests.support.speech import Spoken


class Voice:
    """A hundred milliseconds a character, in chunks of odd sizes."""

    def __init__(self, rate_hz: int = 22050) -> None:
        self.rate_hz = rate_hz
        self.said: list[str] = []
        self.finished = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.closed = 0

    async def say(self, text: str) -> AsyncGenerator[VoiceAudio, None]:
        self.said.append(text)
        pcm16 = b"\x11\x11" * (self.rate_hz // 10 * len(text))
        try:
            for at in range(0, len(pcm16), 3333):
                yield VoiceAudio(pcm16[at : at + 3333], self.rate_hz)
                await self.go_on.wait()
                if "bad" in text:
                    raise SpeechError(SpeechFailure("bad", "bad", "very" in text))
        finally:
            self.finished += 1

    async def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 24000])
@pytest.mark.parametrize("line", [("pcmu", 8000), ("l16", 8000), ("l16", 24000)])
async def test_audio_comes_in_the_lines_format(rate_hz: int, line: WireFormat) -> None:
    spoken = Spoken()
    form = AudioFormat(*line)
    session = PieceSynthesizer(Voice(rate_hz), form, spoken)
    session.speak("u", "abcd", more_follows=True)
    session.speak("u", "ef", more_follows=False)
    await eventually(lambda: spoken.finished == ["u"])
    await session.close()
    assert abs(form.duration_ms(len(spoken.audio["u"])) - 600) < 1
    assert len(spoken.audio["u"]) % form.bytes_per_sample == 0
    marks = [(m.characters, round(m.audio_ms, -1)) for m in spoken.marks["u"]]
    assert marks == [(4, 400), (6, 600)]


async def test_a_cancelled_piece_is_ended_and_the_next_begins() -> None:
    voice, spoken = Voice(8000), Spoken()
    session = PieceSynthesizer(voice, L16_8K, spoken)
    voice.go_on.clear()
    session.speak("a", "abcdefgh", more_follows=False)
    await eventually(lambda: "a" in spoken.audio)
    session.cancel("a")
    session.speak("b", "x", more_follows=False)
    await eventually(lambda: voice.said == ["abcdefgh", "x"])
    assert voice.finished == 1
    voice.go_on.set()
    await eventually(lambda: spoken.finished == ["b"])
    await session.close()
    await session.close()
    assert voice.closed == 2


async def test_failures() -> None:
    voice, spoken = Voice(), Spoken()
    session = PieceSynthesizer(voice, L16_8K, spoken)
    session.speak("a", "bad", more_follows=False)
    session.speak("b", "good", more_follows=False)
    session.speak("c", "very bad", more_follows=False)
    session.speak("d", "never", more_follows=False)
    await eventually(lambda: len(spoken.failures) == 2)
    assert [(f.fatal, who) for f, who in spoken.failures] == [(False, "a"), (True, "")]
    assert spoken.finished == ["b"]
    await session.close()
    assert voice.said == ["bad", "good", "very bad"]


async def test_nothing_is_told_in_the_command_itself() -> None:
    spoken = Spoken()
    session = PieceSynthesizer(Voice(), L16_8K, spoken)
    session.speak("a", " - ", more_follows=False)
    assert spoken.finished == []
    await asyncio.sleep(0)
    assert spoken.finished == ["a"]
    await session.close()
