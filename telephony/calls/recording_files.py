"""The file of a recording: appended to once a second, readable at any time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from telephony.calls.recording_encoders import RecordingEncoder
from telephony.calls.sealed_file import Sealer

# People's voices: nobody but the service reads them.
_MODE = 0o600


class RecordingFile(Protocol):
    """Where a recording goes. Methods raise OSError and return how many bytes were written."""

    def append(self, stereo: bytes) -> int: ...

    def close(self) -> int: ...


class PlainFile:
    """Appends audio, and writes the header again after it.

    Whatever ends the process, the header is that of the append before at the latest.
    """

    def __init__(self, path: Path, encoder: RecordingEncoder) -> None:
        self._encoder = encoder
        self._header = encoder.header()
        self._file = _create(path)
        self._begun = False

    def append(self, stereo: bytes) -> int:
        return self._write(self._encoder.encode(stereo))

    def close(self) -> int:
        try:
            return self._write(self._encoder.finish())
        finally:
            os.close(self._file)

    def _write(self, audio: bytes) -> int:
        if not self._begun:
            self._begun = True
            audio = self._header + audio
        _write_all(self._file, audio)
        header = self._encoder.header()
        if header != self._header:
            os.pwrite(self._file, header, 0)
            self._header = header
        return len(audio)


class SealedFile:
    """Appends encrypted chunks, each with the header as it is after it."""

    def __init__(self, path: Path, encoder: RecordingEncoder, sealer: Sealer) -> None:
        self._encoder = encoder
        self._sealer = sealer
        self._file = _create(path)
        try:
            _write_all(self._file, sealer.begin())
        except OSError:
            os.close(self._file)
            raise

    def append(self, stereo: bytes) -> int:
        return self._write(self._encoder.encode(stereo))

    def close(self) -> int:
        try:
            return self._write(self._encoder.finish(), last=True)
        finally:
            os.close(self._file)

    def _write(self, audio: bytes, *, last: bool = False) -> int:
        chunk = self._sealer.seal(self._encoder.header(), audio, last=last)
        _write_all(self._file, chunk)
        return len(chunk)


OpenFile = Callable[[], RecordingFile]
"""Makes the file of a recording, in the writer's thread; raises OSError."""


def _create(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, _MODE)


def _write_all(file: int, data: bytes) -> None:
    """Write all of it: on a disk that is nearly full the system takes a part first."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
