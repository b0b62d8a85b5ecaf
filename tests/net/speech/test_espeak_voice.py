"""espeak-ng itself, where it is installed."""

from __future__ import annotations

import asyncio
import shutil
import stat
from pathlib import Path

import pytest

from telephony.audio.format import AudioFormat
from telephony.base.speech import WireFormat
from telephony.net.speech import espeak_voice, services
from telephony.net.speech.espeak_voice import EspeakConfig
from tests.support.eventually import eventually
from tests.support.speech import Spoken

PCMU = ("pcmu", 8000)
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is missing")


def espeak(**values: object) -> EspeakConfig:
    return EspeakConfig.model_validate(values)


@needs_espeak
@pytest.mark.parametrize("line", [("pcmu", 8000), ("l16", 16000), ("l16", 24000)])
async def test_espeak_speaks(line: WireFormat) -> None:
    spoken = Spoken()
    voice = await services.espeak_synthesizer(espeak()).open(line, spoken)
    voice.speak("u", "We are open from nine until six. ", more_follows=True)
    voice.speak("u", "-v evil; $(reboot)\nGoodbye.", more_follows=False)
    await eventually(lambda: spoken.finished == ["u"])
    await voice.close()
    audio_format = AudioFormat(*line)
    assert 3000 < audio_format.duration_ms(len(spoken.audio["u"])) < 8000
    assert spoken.failures == []


@needs_espeak
async def test_espeak_ends_with_what_is_cancelled() -> None:
    spoken = Spoken()
    voice = await services.espeak_synthesizer(espeak(processes=1)).open(PCMU, spoken)
    for number in range(5):
        voice.speak(f"u{number}", "A long sentence it is. " * 50, more_follows=False)
        await asyncio.sleep(0.002)
        voice.cancel(f"u{number}")
    voice.speak("last", "Goodbye.", more_follows=False)
    await eventually(lambda: spoken.finished == ["last"])
    await voice.close()
    assert spoken.order == ["last"]


async def test_programs_that_speak_nonsense(tmp_path: Path) -> None:
    program = tmp_path / "espeak"
    program.write_text("#!/bin/sh\necho nonsense\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for name, code in ((str(program), "bad_answer"), ("/no/such/program", "not_startable")):
        spoken = Spoken()
        voice = await services.espeak_synthesizer(espeak(program=name)).open(PCMU, spoken)
        voice.speak("u", "Hello.", more_follows=False)
        await eventually(lambda spoken=spoken: bool(spoken.failures))
        await voice.close()
        assert spoken.failures[0][0].code == code


def test_what_espeak_lacks() -> None:
    assert espeak_voice.lacks(espeak(program="no-such-program")) == (
        "there is no program no-such-program",
        "apt install espeak-ng",
    )
    for voice in ("-x", "en us", ""):
        with pytest.raises(ValueError, match="voice"):
            espeak(voice=voice)
