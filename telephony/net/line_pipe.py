"""What a program of ours writes to its standard error, line by line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TextIO

_CHUNK_BYTES = 4096
_LONGEST_LINE_BYTES = 1000
_LAST_CHUNKS = 32
"""More than a pipe holds: a program that never stops writing is not listened to for ever."""


class LinePipe:
    """A pipe: :attr:`end` is for the program, ``on_line(text)`` gets each line that is not empty.

    Close :attr:`end` once the program has it: its own end is then that of the lines. A line may be
    cut short, and is never longer than 1000 bytes. Raises OSError when there are no descriptors.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_line: Callable[[str], None]) -> None:
        self._loop = loop
        self._on_line = on_line
        self._begun = b""
        self._open = True
        self._reading, writing = os.pipe()
        self.end: TextIO = os.fdopen(writing, "w")
        os.set_blocking(self._reading, False)
        loop.add_reader(self._reading, self._readable)

    def close(self) -> None:
        """Tell what was written until now, and no more. Twice is once."""
        self.end.close()
        for _ in range(_LAST_CHUNKS):
            if self._open:
                self._readable(last=True)
        self._finish()

    def _readable(self, *, last: bool = False) -> None:
        try:
            data = os.read(self._reading, _CHUNK_BYTES)
        except BlockingIOError:
            data = b""
            if not last:
                return
        *lines, self._begun = (self._begun + data).split(b"\n")
        self._begun = self._begun[:_LONGEST_LINE_BYTES]
        for line in lines:
            self._tell(line)
        if not data:
            self._finish()

    def _finish(self) -> None:
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._reading)
        os.close(self._reading)
        self._tell(self._begun)

    def _tell(self, line: bytes) -> None:
        text = line[:_LONGEST_LINE_BYTES].decode("utf-8", "replace").strip()
        if text:
            self._on_line(text)
