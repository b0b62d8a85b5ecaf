"""The speech that ships with the package, and what it says.

The list is ``prompts/prompts.yaml``; ``scripts/make-prompts`` speaks it into WAV files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from telephony.audio.wav import read_wav

PROMPT_FOLDER = Path(__file__).parent / "prompts"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One recording: ``pcm16`` is mono, 24 kHz for the model and 8 kHz for the caller."""

    name: str
    speaker: str
    text: str
    pcm16: bytes
    sample_rate_hz: int

    @property
    def duration_ms(self) -> float:
        return len(self.pcm16) / 2 / self.sample_rate_hz * 1000


class PromptLibrary:
    """Prompts by name; names are unique here."""

    def __init__(self, prompts: Iterable[Prompt]) -> None:
        self._prompts = {prompt.name: prompt for prompt in prompts}
        self._by_text = {words(p.text): p.name for p in self._prompts.values()}

    def __contains__(self, name: str) -> bool:
        return name in self._prompts

    def __getitem__(self, name: str) -> Prompt:
        return self._prompts[name]

    def spoken_by(self, speaker: str) -> list[Prompt]:
        return [prompt for prompt in self._prompts.values() if prompt.speaker == speaker]

    def name_of(self, name_or_text: str) -> str | None:
        """Return the prompt's name, given its name or the text it says in any punctuation."""
        if name_or_text in self._prompts:
            return name_or_text
        return self._by_text.get(words(name_or_text))


def words(text: str) -> str:
    """Return ``text`` in lower case, only letters, digits and single spaces."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


@cache
def shipped_prompts() -> PromptLibrary:
    """Read the prompts of the package, once per process."""
    listed = yaml.safe_load((PROMPT_FOLDER / "prompts.yaml").read_text("utf-8"))["prompts"]
    return PromptLibrary(_read(entry) for entry in listed if entry["speaker"] != "bot")


def _read(entry: dict[str, str]) -> Prompt:
    wav = read_wav((PROMPT_FOLDER / f"{entry['name']}.wav").read_bytes())
    return Prompt(entry["name"], entry["speaker"], entry["text"], wav.pcm16, wav.sample_rate_hz)
