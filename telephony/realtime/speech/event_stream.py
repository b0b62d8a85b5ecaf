"""Server-sent events (WHATWG HTML, section 9.2), as far as APIs stream JSON in them."""

from __future__ import annotations

_MAX_LINE_BYTES = 1 << 20


class EventStream:
    """Turns the bytes of a response into the data of its events.

    A line longer than a mebibyte is dropped and counted; names, ids and comments are passed over.
    """

    __slots__ = ("_buffer", "_data", "_dropping", "lines_dropped")

    def __init__(self) -> None:
        self._buffer = b""
        self._data: list[bytes] = []
        self._dropping = False
        self.lines_dropped = 0

    def receive(self, chunk: bytes) -> list[bytes]:
        """Return the data of the events that are complete now."""
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        events: list[bytes] = []
        for line in lines:
            self._line(line.removesuffix(b"\r"), events)
        if len(self._buffer) > _MAX_LINE_BYTES:
            self._buffer = b""
            self._dropping = True
            self.lines_dropped += 1
        return events

    def finish(self) -> list[bytes]:
        """Return the event that lacked its blank line: the response is over."""
        events: list[bytes] = []
        self._line(self._buffer.removesuffix(b"\r"), events)
        self._buffer = b""
        self._line(b"", events)
        return events

    def _line(self, line: bytes, events: list[bytes]) -> None:
        if self._dropping:
            # The rest of the line that was too long.
            self._dropping = False
            return
        if not line:
            if self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        elif line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
