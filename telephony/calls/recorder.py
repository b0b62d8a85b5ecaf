"""Recordings: what the caller said and what the bot said, as one stereo file per call.

Both channels lie on the playout timeline, one frame of each per ptime: left is the caller as heard
(after jitter buffer and concealment), right is the bot as sent. On the media path a frame costs two
list appends; decoding, encoding and writing happen in one writer thread, 0.8 s of audio at a
time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from telephony.audio.format import AudioFormat
from telephony.audio.g711 import decode
from telephony.audio.wav import interleave
from telephony.calls.recording_encoders import RecordingFormat, make_encoder
from telephony.calls.recording_files import OpenFile, PlainFile, RecordingFile, SealedFile
from telephony.calls.sealed_file import SALT_BYTES, Sealer

CLOSE_LIMIT_S = 5.0
"""How long the end of a call waits for a disk that hangs."""

SEALED_SUFFIX = ".sealed"

# With the 0.15 s that encoders hold back, a crash costs less than a second.
_BATCH_MS = 800
_BATCHES_WAITING_MAX = 30

log = structlog.get_logger()

Frames = list[bytes | None]

Kept = Literal["both", "bot", "neither"]
"""Whose audio a recording takes; who is left out is silent in it."""


@dataclass(slots=True)
class RecorderStats:
    """Frames of one recording; ``frames_dropped`` are silent in the file, in their place."""

    frames: int = 0
    frames_dropped: int = 0
    frames_paused: int = 0


@dataclass(slots=True)
class RecordingTotals:
    """All recordings of a process. Each field is counted by one thread only."""

    files: int = 0
    bytes_written: int = 0
    failures: int = 0
    frames_dropped: int = 0
    files_expired: int = 0


class Recorder:
    """Records one call into ``path``.

    The file is valid after every batch, so that a crash costs a second at most. A disk that does
    not keep up makes silence, never a longer queue; one that fails ends the recording, not the
    call: ``error`` says why.
    """

    def __init__(
        self,
        path: Path,
        line: AudioFormat,
        ptime_ms: int,
        writer: ThreadPoolExecutor,
        open_file: OpenFile,
        totals: RecordingTotals,
        batch_ms: int = _BATCH_MS,
    ) -> None:
        self.path = path
        self.stats = RecorderStats()
        self.error: Exception | None = None
        self._line = line
        self._silence = line.silence(line.frame_bytes(ptime_ms))
        self._writer = writer
        self._open_file = open_file
        self._totals = totals
        self._ptime_ms = ptime_ms
        self._batch_frames = max(1, batch_ms // ptime_ms)
        self._caller: Frames = []
        self._bot: Frames = []
        self._kept: Kept = "both"
        self._submitted = 0
        self._written = 0  # only the writer thread counts here
        self._owed_frames = 0
        self._file: RecordingFile | None = None
        self._closed = False

    @property
    def paused_ms(self) -> int:
        """How much of the recording is silent because it was paused."""
        return self.stats.frames_paused * self._ptime_ms

    def push(self, caller_frame: bytes | None, bot_frame: bytes | None) -> None:
        """Take one ptime of both sides; None is silence."""
        if self._kept != "both":
            caller_frame = None
            if self._kept == "neither":
                bot_frame = None
                self.stats.frames_paused += 1
        self._caller.append(caller_frame)
        self._bot.append(bot_frame)
        if len(self._caller) >= self._batch_frames:
            self._submit()

    def keep(self, kept: Kept) -> None:
        """Take the audio of these from the next frame on."""
        self._kept = kept

    async def close(self) -> None:
        """Write what is left and close the file. Twice is harmless."""
        if self._closed:
            return
        self._closed = True
        caller, bot = self._take_batch()
        loop = asyncio.get_running_loop()
        finished = loop.run_in_executor(self._writer, self._finish, caller, bot, self._owed_frames)
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await asyncio.shield(finished)
        except TimeoutError:
            log.warning("recording.delayed", path=str(self.path))

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
            self._totals.frames_dropped += len(caller)
            return
        owed_frames, self._owed_frames = self._owed_frames, 0
        self._submitted += 1
        self._writer.submit(self._write, caller, bot, owed_frames)

    # In the writer thread.

    def _write(self, caller: Frames, bot: Frames, owed_frames: int) -> None:
        self._guard(lambda: self._append(caller, bot, owed_frames))
        self._written += 1

    def _guard(self, step: Callable[[], None]) -> None:
        """Do it; a disk, or an encoder, that fails ends the recording and nothing else."""
        if self.error is not None:
            return
        try:
            step()
        except Exception as error:
            self.error = error
            self._totals.failures += 1
            log.error("recording.failed", path=str(self.path), reason=str(error))

    def _append(self, caller: Frames, bot: Frames, owed_frames: int) -> None:
        opened = self._file
        if opened is None:
            opened = self._file = self._open_file()
            self._totals.files += 1
        missing: Frames = [None] * owed_frames
        stereo = interleave(self._pcm16(missing + caller), self._pcm16(missing + bot))
        self._totals.bytes_written += opened.append(stereo)

    def _pcm16(self, frames: Frames) -> bytes:
        silence = self._silence
        return decode(self._line, b"".join(frame or silence for frame in frames))

    def _finish(self, caller: Frames, bot: Frames, owed_frames: int) -> None:
        self._write(caller, bot, owed_frames)
        opened, self._file = self._file, None
        if opened is None:
            return
        # Also after a failure: the file is closed, whatever can be written of its end.
        failed, self.error = self.error, None
        self._guard(lambda: self._close(opened))
        self.error = failed or self.error

    def _close(self, opened: RecordingFile) -> None:
        self._totals.bytes_written += opened.close()


class Recordings:
    """Opens the recording of each call in one directory, named after the call.

    One thread writes for all calls: 200 of them make 6.4 MB a second in WAV. ``key`` (32 bytes)
    encrypts them.
    """

    def __init__(
        self,
        directory: Path,
        random_bytes: Callable[[int], bytes],
        *,
        default_format: RecordingFormat = "wav",
        key: bytes | None = None,
    ) -> None:
        self.totals = RecordingTotals()
        self._directory = directory
        self._random_bytes = random_bytes
        self._default_format = default_format
        self._key = key
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recorder")

    def open(
        self,
        call_id: str,
        line: AudioFormat,
        ptime_ms: int,
        kind: RecordingFormat | None = None,
    ) -> Recorder:
        """Return the recorder of a call; its file appears with its first second."""
        chosen = kind or self._default_format
        path = self.path_of(call_id, chosen)

        def open_file() -> RecordingFile:
            serial = int.from_bytes(self._random_bytes(4))
            encoder = make_encoder(chosen, line.sample_rate_hz, call_id, serial)
            if self._key is None:
                return PlainFile(path, encoder)
            return SealedFile(path, encoder, Sealer(self._key, self._random_bytes(SALT_BYTES)))

        return Recorder(path, line, ptime_ms, self._writer, open_file, self.totals)

    def path_of(self, call_id: str, kind: RecordingFormat | None = None) -> Path:
        sealed = "" if self._key is None else SEALED_SUFFIX
        return self._directory / f"{call_id}.{kind or self._default_format}{sealed}"

    def close(self) -> None:
        """Wait for what is being written and end the thread."""
        self._writer.shutdown(wait=True)
