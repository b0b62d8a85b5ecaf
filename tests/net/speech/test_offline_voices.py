"""Programs that speak. espeak-ng runs where it is installed; piper is stood in for by a program
with its manners, and runs itself in ``scripts/bench speech``."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from telephony.audio.format import AudioFormat
from telephony.base.interfaces import ModelUnavailable
from telephony.net.speech import espeak_voice, piper_voice, services
from telephony.net.speech.espeak_voice import EspeakConfig
from telephony.net.speech.piper_voice import PiperConfig, PiperVoice, PiperWorker
from telephony.net.speech.turn_transcriber import SpeechError
from tests.support.eventually import eventually
from tests.support.speech import Spoken

PCMU = ("pcmu", 8000)
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is missing")


def espeak(**values: object) -> EspeakConfig:
    return EspeakConfig.model_validate(values)


@needs_espeak
@pytest.mark.parametrize("line", [("pcmu", 8000), ("l16", 16000), ("l16", 24000)])
async def test_espeak_speaks(line: tuple[str, int]) -> None:
    spoken = Spoken()
    voice = await services.espeak_synthesizer(espeak()).open(line, spoken)  # type: ignore[arg-type]
    voice.speak("u", "We are open from nine until six. ", more_follows=True)
    voice.speak("u", "-v evil; $(reboot)\nGoodbye.", more_follows=False)
    await eventually(lambda: spoken.finished == ["u"])
    await voice.close()
    audio_format = AudioFormat(*line)  # type: ignore[arg-type]
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


PIPER = """#!{python}
import sys, time, wave
directory = [a.split("=", 1)[1] for a in sys.argv if a.startswith("--output-dir=")][0]
print("INFO:piper:Loaded", file=sys.stderr, flush=True)
for line in sys.stdin:
    if "crash" in line:
        sys.exit("crashed")
    path = f"{{directory}}/{{time.monotonic_ns()}}.wav"
    with wave.open(path, "wb") as file:
        file.setframerate(22050)
        file.setsampwidth(2)
        file.setnchannels(1)
        file.writeframes(b"\\x10\\x10" * 220 * len(line.strip()))
    print("INFO:piper:Wrote", path, file=sys.stderr, flush=True)
"""


@pytest.fixture(name="piper")
def _piper(tmp_path: Path) -> PiperConfig:
    """Ten milliseconds a character."""
    program = tmp_path / "piper"
    program.write_text(PIPER.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    voice = tmp_path / "voice.onnx"
    voice.touch()
    (tmp_path / "voice.onnx.json").touch()
    return PiperConfig.model_validate({"voice": str(voice), "program": str(program), "keep_s": 0})


async def test_piper_speaks_line_by_line(piper: PiperConfig) -> None:
    spoken = Spoken()
    voice = await services.piper_synthesizer(piper).open(PCMU, spoken)
    voice.speak("u", "A line\nof ", more_follows=True)
    voice.speak("u", "two.", more_follows=False)
    await eventually(lambda: spoken.finished == ["u"])
    await voice.close()
    first, last = spoken.marks["u"]
    # "A line of" has 9 characters, "two." has 4.
    assert abs(first.audio_ms - 90) < 1
    assert abs(last.audio_ms - 130) < 1
    assert abs(len(spoken.audio["u"]) / 8 - 130) < 1


async def test_piper_is_shared_and_leaves_nothing_behind(piper: PiperConfig) -> None:
    worker = PiperWorker(piper)
    voices = [await PiperVoice.start(worker) for _ in range(3)]
    said = await asyncio.gather(*(worker.speak(f"number {n}") for n in range(9)))
    assert len(said) == 9
    assert worker.lines.stats.starts == 1
    assert os.listdir(worker.directory) == []
    for voice in voices:
        await voice.close()
        await voice.close()
    await worker.close()
    assert worker.directory.name not in os.listdir(worker.directory.parent)


async def test_piper_that_dies(piper: PiperConfig) -> None:
    worker = PiperWorker(piper)
    with pytest.raises(SpeechError, match="crashed"):
        await worker.speak("crash")
    await worker.close()


async def test_piper_that_is_not_there(piper: PiperConfig) -> None:
    missing = piper.model_copy(update={"program": "/no/such/piper"})
    with pytest.raises(ModelUnavailable) as error:
        await services.piper_synthesizer(missing).open(PCMU, Spoken())
    assert error.value.fatal


def test_what_piper_lacks(piper: PiperConfig, tmp_path: Path) -> None:
    assert piper_voice.lacks(piper) is None
    (tmp_path / "voice.onnx.json").unlink()
    told = piper_voice.lacks(piper)
    assert told is not None
    assert "voice.onnx.json" in told[0]
    gone = piper_voice.lacks(piper.model_copy(update={"program": "no-such-piper"}))
    assert gone is not None
    assert "offline" in gone[1]
