"""Token counts: the API's rules of thumb, so that a bill for a rehearsal looks like a bill."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from telephony.rehearsal.conversation import Item
from telephony.rehearsal.outbox import Wire

_USER_AUDIO_MS_PER_TOKEN = 100
_ASSISTANT_AUDIO_MS_PER_TOKEN = 50
_LETTERS_PER_TOKEN = 4


def text_tokens(text: str) -> int:
    return -(-len(text) // _LETTERS_PER_TOKEN)


def transcription_usage(model: str | None, audio_ms: float, text: str) -> Wire:
    """Return the ``usage`` of a turn that was written down: older models are paid by tokens."""
    if not (model or "").startswith("gpt-4o"):
        return {"type": "duration", "seconds": round(audio_ms / 1000, 3)}
    heard, written = round(audio_ms / _USER_AUDIO_MS_PER_TOKEN), text_tokens(text)
    return {
        "type": "tokens",
        "input_tokens": heard,
        "output_tokens": written,
        "total_tokens": heard + written,
        "input_token_details": {"audio_tokens": heard, "text_tokens": 0},
    }


@dataclass(slots=True)
class Usage:
    """Tokens of one response; what the response before it had read counts as cached."""

    input_text: int = 0
    input_audio: int = 0
    cached_text: int = 0
    cached_audio: int = 0
    output_text: int = 0
    output_audio: int = 0

    @classmethod
    def of_input(cls, items: Iterable[Item], instructions: str, before: Usage | None) -> Usage:
        """Count what a response to ``items`` reads."""
        usage = cls(input_text=text_tokens(instructions))
        for item in items:
            texts = (*(part.text for part in item.content), item.arguments, item.output)
            usage.input_text += sum(text_tokens(text) for text in texts)
            usage.input_audio += round(item.audio_ms / _USER_AUDIO_MS_PER_TOKEN)
        if before is not None:
            usage.cached_text = min(usage.input_text, before.input_text)
            usage.cached_audio = min(usage.input_audio, before.input_audio)
        return usage

    def count_output(self, items: Iterable[Item], audio_ms: float) -> None:
        self.output_audio = round(audio_ms / _ASSISTANT_AUDIO_MS_PER_TOKEN)
        self.output_text = sum(text_tokens(item.text + item.arguments) for item in items)

    def to_wire(self) -> Wire:
        """Return the ``usage`` object of ``response.done``."""
        read = self.input_text + self.input_audio
        written = self.output_text + self.output_audio
        cached = {
            "text_tokens": self.cached_text,
            "audio_tokens": self.cached_audio,
            "image_tokens": 0,
        }
        return {
            "total_tokens": read + written,
            "input_tokens": read,
            "output_tokens": written,
            "input_token_details": {
                "text_tokens": self.input_text,
                "audio_tokens": self.input_audio,
                "image_tokens": 0,
                "cached_tokens": self.cached_text + self.cached_audio,
                "cached_tokens_details": cached,
            },
            "output_token_details": {
                "text_tokens": self.output_text,
                "audio_tokens": self.output_audio,
            },
        }
