"""Recordings: what the caller said and what the bot said, as one stereo WAV file per call.

Both channels lie on the playout timeline, one frame of each per ptime: left is the caller as heard
(after jitter buffer and concealment), right is the bot as sent. On the media path a frame costs two
list appends; decoding and writing happen in one writer thread, a second of audio at a time.
"""

from __future__ import annotations

import asyncio
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import structlog

from telephony.audio.format import AudioFormat
from telephony.audio.g711 import decode
from telephony.audio.wav import interleave, write_wav

_BATCH_MS = 1000
_BATCHES_WAITING_MAX = 30
_RIFF_SIZE_OFFSET = 4
_DATA_SIZE_OFFSET = 40
_HEADER_BYTES = 44
_MAX_SIZE = 0xFFFF_FFFF

log = structlog.get_logger()

Frames = list[bytes | None]


@dataclass(slots=True)
class RecorderStats:
    """Frames of one recording; ``frames_dropped`` are silent in the file, in their place."""

    frames: int = 0
    frames_dropped: int = 0


class Recorder:
    """Records one call into ``path``.

    The file is a valid WAV after every batch, so that a crash costs one second at most. A disk
    that does not keep up makes silence, never a longer queue; one that fails ends the recording,
    not the call: ``error`` says why.
    """

    def __init__(
        self,
        path: Path,
        line: AudioFormat,
        ptime_ms: int,
        writer: ThreadPoolExecutor,
        batch_ms: int = _BATCH_MS,
    ) -> None:
        self.path = path
        self.stats = RecorderStats()
        self.error: OSError | None = None
        self._line = line
        self._silence = line.silence(line.frame_bytes(ptime_ms))
        self._writer = writer
        self._batch_frames = max(1, batch_ms // ptime_ms)
        self._caller: Frames = []
        self._bot: Frames = []
        self._submitted = 0
        self._written = 0  # only the writer thread counts here
        self._owed_frames = 0
        self._file: FileIO | None = None
        self._closed = False

    def push(self, caller_frame: bytes | None, bot_frame: bytes | None) -> None:
        """Take one ptime of both sides; None is silence."""
        self._caller.append(caller_frame)
        self._bot.append(bot_frame)
        if len(self._caller) >= self._batch_frames:
            self._submit()

    async def close(self) -> None:
        """Write what is left and close the file. Twice is harmless."""
        if self._closed:
            return
        self._closed = True
        caller, bot = self._take_batch()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._finish, caller, bot, self._owed_frames)
        if self.error is not None:
            log.error("recording.failed", path=str(self.path), reason=str(self.error))

    def _take_batch(self) -> tuple[Frames, Frames]:
        caller, bot = self._caller, self._bot
        self._caller, self._bot = [], []
        self.stats.frames += len(caller)
        return caller, bot

    def _submit(self) -> None:
        caller, bot = self._take_batch()
        if self._closed or self.error is not None:
            return
        if self._submitted - self._written >= _BATCHES_WAITING_MAX:
            self._owed_frames += len(caller)
            self.stats.frames_dropped += len(caller)
            return
        owed_frames, self._owed_frames = self._owed_frames, 0
        self._submitted += 1
        self._writer.submit(self._write, caller, bot, owed_frames)

    # In the writer thread.

    def _write(self, caller: Frames, bot: Frames, owed_frames: int) -> None:
        try:
            if self.error is None:
                self._append(caller, bot, owed_frames)
        except OSError as error:
            self.error = error
        finally:
            self._written += 1

    def _append(self, caller: Frames, bot: Frames, owed_frames: int) -> None:
        opened = self._file
        if opened is None:
            opened = self._file = self._create()
        missing: Frames = [None] * owed_frames
        opened.write(interleave(self._pcm16(missing + caller), self._pcm16(missing + bot)))
        self._set_sizes(opened)

    def _pcm16(self, frames: Frames) -> bytes:
        silence = self._silence
        return decode(self._line, b"".join(frame or silence for frame in frames))

    def _create(self) -> FileIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # People's voices: nobody but the service reads them.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        opened = FileIO(descriptor, "r+")
        opened.write(write_wav(b"", self._line.sample_rate_hz, channels=2))
        return opened

    @staticmethod
    def _set_sizes(opened: FileIO) -> None:
        end = opened.seek(0, os.SEEK_END)
        opened.seek(_RIFF_SIZE_OFFSET)
        opened.write(struct.pack("<I", min(end - 8, _MAX_SIZE)))
        opened.seek(_DATA_SIZE_OFFSET)
        opened.write(struct.pack("<I", min(end - _HEADER_BYTES, _MAX_SIZE)))
        opened.seek(end)

    def _finish(self, caller: Frames, bot: Frames, owed_frames: int) -> None:
        self._write(caller, bot, owed_frames)
        if self._file is not None:
            self._file.close()
            self._file = None


class Recordings:
    """Opens the recording of each call in one directory, named after the call.

    One thread writes for all calls: 200 of them make 6.4 MB a second.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recorder")

    def open(self, call_id: str, line: AudioFormat, ptime_ms: int) -> Recorder:
        return Recorder(self.path_of(call_id), line, ptime_ms, self._writer)

    def path_of(self, call_id: str) -> Path:
        return self._directory / f"{call_id}.wav"

    def close(self) -> None:
        """Wait for what is being written and end the thread."""
        self._writer.shutdown(wait=True)
