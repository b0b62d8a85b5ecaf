from __future__ import annotations

from pathlib import Path

import pytest

from telephony.audio.format import PCMA, PCMU
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
