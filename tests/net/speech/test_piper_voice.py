"""A program with piper's manners; piper itself runs in ``scripts/bench speech``."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from telephony.base.interfaces import ModelUnavailable
from telephony.net.speech import piper_voice, services
from telephony.net.speech.piper_voice import PiperConfig, PiperVoice, PiperWorker
from telephony.net.speech.turn_transcriber import SpeechError
from tests.support.eventually import eventually
from tests.support.speech import Spoken

PCMU = ("pcmu", 8000)

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
