"""The written form of a recording: who said what when, as JSON and as text, beside the audio."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from telephony.calls.recorder import SEALED_SUFFIX
from telephony.calls.recording_encoders import SOFTWARE
from telephony.calls.sealed_file import SALT_BYTES, Sealer

# People's words: nobody but the service reads them.
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Said:
    """Times are in seconds from the beginning of the recording."""

    speaker: str
    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class CallTranscript:
    """``parts`` in the order of their beginnings; ``missing`` could not be transcribed."""

    recording: str
    duration_s: float
    model: str
    parts: tuple[Said, ...]
    missing: int = 0
    summary: str | None = None

    def to_json(self) -> str:
        """Return an object with the fields of this class, on lines."""
        head = {"software": SOFTWARE, **asdict(self)}
        return json.dumps(head, ensure_ascii=False, indent=2) + "\n"

    def to_text(self) -> str:
        """Return a line for each part: ``[0:07 caller] ...``."""
        lines = [f"# {SOFTWARE}: {self.recording}", ""]
        if self.summary is not None:
            lines += [self.summary, ""]
        lines += [f"[{_clock(part.start_s)} {part.speaker}] {part.text}" for part in self.parts]
        if self.missing:
            lines += ["", f"({self.missing} stretches could not be transcribed)"]
        return "\n".join(lines) + "\n"

    def dialogue(self) -> str:
        """Return what a model is to sum up."""
        return "\n".join(f"{part.speaker}: {part.text}" for part in self.parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def beside(recording: Path, suffix: str) -> Path:
    """Return the path of a recording's ``json`` or ``txt``; sealed if the recording is."""
    sealed = SEALED_SUFFIX if recording.name.endswith(SEALED_SUFFIX) else ""
    stem = Path(recording.name.removesuffix(SEALED_SUFFIX)).stem
    return recording.with_name(f"{stem}.{suffix}{sealed}")


def write_private(
    path: Path, text: str, key: bytes | None, random_bytes: Callable[[int], bytes]
) -> None:
    """Write ``text`` whole or not at all, encrypted as recordings are when ``path`` says sealed.

    Raises OSError, and ValueError for a sealed path without a key.
    """
    content = text.encode()
    if path.name.endswith(SEALED_SUFFIX):
        if key is None:
            raise ValueError("an encrypted transcript needs a key")
        sealer = Sealer(key, random_bytes(SALT_BYTES))
        content = sealer.begin() + sealer.seal(b"", content, last=True)
    partial = path.with_name(f".{path.name}.{random_bytes(4).hex()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
