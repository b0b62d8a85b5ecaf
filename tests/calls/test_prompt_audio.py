from __future__ import annotations

from pathlib import Path

import pytest

from telephony.audio.format import L16_16K, PCMA, PCMU, AudioFormat
from telephony.audio.g711 import encode
from telephony.audio.tones import busy
from telephony.audio.wav import write_wav
from telephony.calls.prompt_audio import APOLOGY, GOODBYE, PromptAudio, read_shipped_prompt


class Disk:
    def __init__(self) -> None:
        self.reads: list[Path] = []

    def __call__(self, path: Path) -> bytes:
        self.reads.append(path)
        return write_wav(bytes(2 * 16000), 16000)


def test_a_file_is_read_and_converted_once_per_format() -> None:
    disk = Disk()
    prompts = PromptAudio(disk)
    assert len(prompts.load("hello.wav", PCMU)) == 8000
    assert prompts.load("hello.wav", PCMU) is prompts.load(Path("hello.wav"), PCMU)
    prompts.load("hello.wav", PCMA)
    assert disk.reads == [Path("hello.wav"), Path("hello.wav")]


async def test_fetch_gives_what_load_gives() -> None:
    prompts = PromptAudio(Disk())
    first = await prompts.fetch("hello.wav", PCMU)
    assert await prompts.fetch("hello.wav", PCMU) is first


@pytest.mark.parametrize("name", [APOLOGY, GOODBYE])
def test_prompts_come_with_the_package(name: str) -> None:
    assert read_shipped_prompt(name).startswith(b"RIFF")
    assert 1.0 < len(PromptAudio().load(name, PCMU)) / 8000 < 8.0


async def test_a_file_that_is_no_audio_is_a_value_error(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(ValueError, match=r"RIFF|WAV|wav"):
        await PromptAudio().fetch(tmp_path / "text.wav", PCMU)
    with pytest.raises(OSError, match="missing"):
        PromptAudio().load(tmp_path / "missing.wav", PCMU)


@pytest.mark.parametrize("line", [PCMU, L16_16K])
async def test_tones_are_made_for_the_line_and_the_country(line: AudioFormat) -> None:
    disk = Disk()
    prompts = PromptAudio(disk, country="de")
    rate_hz = line.sample_rate_hz
    heard = await prompts.fetch("tone:busy", line)
    assert heard == encode(line, busy(rate_hz, "de") * 6)
    assert await prompts.fetch("tone:busy/us/1", line) == encode(line, busy(rate_hz, "us"))
    assert disk.reads == []


async def test_music_is_read_once_per_format_and_goes_round() -> None:
    disk = Disk()
    prompts = PromptAudio(disk)
    loop = await prompts.fetch_loop("music.wav", PCMU)
    assert await prompts.fetch_loop("music.wav", PCMU) is loop
    assert disk.reads == [Path("music.wav")]
    assert len(loop.beginning) + len(loop.loop) == 8000
    tone = await prompts.fetch_loop("tone:ringback", PCMU)
    assert (tone.beginning, len(tone.loop)) == (b"", 48000)


async def test_music_without_a_sound_is_a_value_error() -> None:
    prompts = PromptAudio(lambda path: write_wav(b"", 8000))
    with pytest.raises(ValueError, match="no sound"):
        await prompts.fetch_loop("empty.wav", PCMU)
