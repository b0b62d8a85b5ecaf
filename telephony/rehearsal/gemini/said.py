"""What the model believes that was said, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from telephony.rehearsal.usage import text_tokens

AUDIO_TOKENS_PER_SECOND = 25


@dataclass(slots=True)
class Said:
    """One thing that was said or done. ``cut``: the caller's voice ended it early.

    A ``prompt`` is the text that made the model begin: no turn of the caller.
    Of speech ``audio_ms`` is what was spoken, or by the server's clock heard.
    """

    role: Literal["user", "model"]
    kind: Literal["speech", "text", "prompt", "call", "result"]
    text: str = ""
    name: str = ""
    call_id: str = ""
    audio_ms: float = 0.0
    cut: bool = False


class Conversation:
    def __init__(self, said: Iterable[Said] = ()) -> None:
        self._said = [replace(entry) for entry in said]

    def __iter__(self) -> Iterator[Said]:
        return iter(self._said)

    def __len__(self) -> int:
        return len(self._said)

    def __getitem__(self, index: int) -> Said:
        return self._said[index]

    def add(self, entry: Said) -> Said:
        self._said.append(entry)
        return entry

    def copy(self) -> Conversation:
        return Conversation(self._said)

    @property
    def turns(self) -> int:
        """How often the caller spoke or wrote."""
        return sum(s.role == "user" and s.kind in ("speech", "text") for s in self._said)

    def tokens(self) -> tuple[int, int]:
        """Return how many tokens of text and of audio a turn reads."""
        spoken = [entry for entry in self._said if entry.kind == "speech"]
        text = sum(text_tokens(entry.text) for entry in self._said if entry.kind != "speech")
        return text, sum(audio_tokens(entry.audio_ms) for entry in spoken)


def audio_tokens(duration_ms: float) -> int:
    return round(duration_ms / 1000 * AUDIO_TOKENS_PER_SECOND)
