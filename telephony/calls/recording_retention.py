"""Deletes recordings, and their transcripts, that are older than they may be kept."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from telephony.base.interfaces import Clock
from telephony.calls.blocking import TooManyBlockedError, run_blocking
from telephony.calls.recorder import SEALED_SUFFIX, RecordingTotals
from telephony.calls.recording_encoders import SOFTWARE
from telephony.calls.sealed_file import key_id_of

SWEEP_INTERVAL_S = 3600.0

_DAY_S = 86_400.0
_START_BYTES = 512
# Twelve hexadecimal digits: the id of a call.
_NAME = re.compile(rf"[0-9a-f]{{12}}\.(wav|flac|opus|json|txt)({re.escape(SEALED_SUFFIX)})?")
_MAGIC = {"wav": b"RIFF", "flac": b"fLaC", "opus": b"OggS", "json": b"{", "txt": b"# "}

log = structlog.get_logger()


class Retention:
    """Sweeps one directory, and not those below it.

    A file is deleted when it has the name of a recording or a transcript, was last written longer
    than ``keep_days`` ago, and says inside that our recorder wrote it. Anything else stays: files
    of other names, links, and whatever somebody else put there under such a name.
    """

    def __init__(
        self, directory: Path, keep_days: float, wall_clock_s: Clock, totals: RecordingTotals
    ) -> None:
        self._directory = directory
        self._keep_s = keep_days * _DAY_S
        self._wall_clock_s = wall_clock_s
        self._totals = totals

    async def run(self) -> None:
        """Sweep now and then every hour, beside the loop, until cancelled."""
        while True:
            # With every thread taken there is another hour.
            with suppress(TooManyBlockedError):
                await run_blocking(self.sweep)
            await asyncio.sleep(SWEEP_INTERVAL_S)

    def sweep(self) -> int:
        """Delete what is due; return how many files that were."""
        before_s = self._wall_clock_s() - self._keep_s
        deleted = 0
        try:
            for path in self._due(before_s):
                path.unlink()
                deleted += 1
                self._totals.files_expired += 1
        except OSError as error:
            # The rest is due at the next sweep as well.
            log.warning("recordings.not_swept", reason=str(error))
        if deleted:
            log.info("recordings.expired", files=deleted)
        return deleted

    def _due(self, before_s: float) -> Iterator[Path]:
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if not _NAME.fullmatch(entry.name):
                    continue
                found = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(found.st_mode) or found.st_mtime >= before_s:
                    continue
                path = Path(entry.path)
                if is_recording(path):
                    yield path


def is_recording(path: Path) -> bool:
    """Tell whether our recorder wrote this file, by what stands in its first bytes."""
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    if path.suffix == SEALED_SUFFIX:
        return key_id_of(start) is not None
    magic = _MAGIC.get(path.suffix.removeprefix("."))
    return magic is not None and start.startswith(magic) and SOFTWARE.encode() in start
