"""Audio towards the caller: tagged with its item, cut into frames, counted as it is heard."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_NOTHING = b""


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of an item reached the caller when the queue was flushed.

    ``finished`` tells that all audio of the item had been written.
    """

    item_id: str
    played_ms: float
    received_ms: float
    finished: bool


@dataclass(slots=True)
class PlayoutStats:
    frames: int = 0
    padded_bytes: int = 0
    underruns: int = 0
    dropped_bytes: int = 0


class _Item:
    __slots__ = ("finished", "item_id", "queued_bytes", "received_bytes")

    def __init__(self, item_id: str) -> None:
        self.item_id = item_id
        self.received_bytes = 0
        self.queued_bytes = 0
        self.finished = False


class _Mark:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Playout:
    """A queue of items that gives one frame per ptime.

    A frame counts as heard when :meth:`next_frame` returns it. A frame may hold the end of one
    item and the start of the next; each is counted to the byte. Audio that does not fill a
    frame waits for more, unless its item is finished: then the frame is padded with silence.

    After :meth:`next_frame` drain :meth:`marks_reached` and :meth:`items_finished`; after
    :meth:`flush` also :meth:`marks_flushed`. Above ``max_queued_ms`` new audio is dropped and
    counted.
    """

    def __init__(
        self,
        bytes_per_ms: int,
        ptime_ms: int,
        silence_byte: int,
        max_queued_ms: int = 600_000,
    ) -> None:
        self.stats = PlayoutStats()
        self._bytes_per_ms = bytes_per_ms
        self._frame_bytes = bytes_per_ms * ptime_ms
        self._silence = bytes([silence_byte]) * self._frame_bytes
        self._max_queued_bytes = bytes_per_ms * max_queued_ms
        self._queue: deque[tuple[_Item, bytes] | _Mark] = deque()
        self._items: dict[str, _Item] = {}
        self._chunk = _NOTHING
        self._chunk_bytes = 0
        self._offset_bytes = 0
        self._item: _Item | None = None
        self._waiting_bytes = 0
        self._starved = False
        self._marks_reached: list[str] = []
        self._marks_flushed: list[str] = []
        self._items_finished: list[str] = []

    def write(self, item_id: str, audio: bytes) -> None:
        """Queue more audio of an item, behind everything written before."""
        if self._queued_bytes + len(audio) > self._max_queued_bytes:
            self.stats.dropped_bytes += len(audio)
            return
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = _Item(item_id)
        if not audio:
            return
        item.received_bytes += len(audio)
        item.queued_bytes += len(audio)
        self._waiting_bytes += len(audio)
        self._queue.append((item, audio))

    def finish_item(self, item_id: str) -> None:
        """Say that an item has no more audio; an unknown (flushed) item is ignored."""
        item = self._items.get(item_id)
        if item is None:
            return
        item.finished = True
        self._forget_if_done(item)

    def mark(self, name: str) -> None:
        """Put a name behind everything written so far."""
        self._queue.append(_Mark(name))
        self._settle()

    def next_frame(self) -> bytes | None:
        """Return the next frame and count it as heard, or ``None`` when there is none to play."""
        start = self._offset_bytes
        end = start + self._frame_bytes
        if end < self._chunk_bytes:
            self._offset_bytes = end
            self.stats.frames += 1
            return self._chunk[start:end]
        return self._frame_across_chunks()

    def _frame_across_chunks(self) -> bytes | None:
        if not self._has_frame():
            return None
        parts: list[bytes] = []
        wanted = self._frame_bytes
        while wanted:
            if self._offset_bytes == self._chunk_bytes and not self._take_chunk():
                break
            part = self._chunk[self._offset_bytes : self._offset_bytes + wanted]
            self._offset_bytes += len(part)
            wanted -= len(part)
            parts.append(part)
        if wanted:
            self.stats.padded_bytes += wanted
            parts.append(self._silence[:wanted])
        self.stats.frames += 1
        self._settle()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _has_frame(self) -> bool:
        """Tell whether a frame can be given; what is short of one waits for an open item."""
        queued = self._queued_bytes
        if queued >= self._frame_bytes:
            self._starved = False
            return True
        if queued and self._last_item().finished:
            return True
        if self._items and not self._starved and not self._all_finished():
            self._starved = True
            self.stats.underruns += 1
        return False

    def _last_item(self) -> _Item:
        for entry in reversed(self._queue):
            if not isinstance(entry, _Mark):
                return entry[0]
        assert self._item is not None
        return self._item

    def _all_finished(self) -> bool:
        return all(item.finished for item in self._items.values())

    def _take_chunk(self) -> bool:
        """Step to the next chunk, over the marks before it."""
        self._leave_chunk()
        while self._queue:
            entry = self._queue.popleft()
            if isinstance(entry, _Mark):
                self._marks_reached.append(entry.name)
                continue
            self._item, self._chunk = entry
            self._chunk_bytes = len(self._chunk)
            self._offset_bytes = 0
            self._waiting_bytes -= self._chunk_bytes
            return True
        return False

    def _leave_chunk(self) -> None:
        item = self._item
        if item is None:
            return
        item.queued_bytes -= self._chunk_bytes
        self._item = None
        self._chunk = _NOTHING
        self._chunk_bytes = self._offset_bytes = 0
        self._forget_if_done(item)

    def _settle(self) -> None:
        """Report the marks and items whose last byte has just been heard."""
        if self._offset_bytes < self._chunk_bytes:
            return
        self._leave_chunk()
        queue = self._queue
        while queue and isinstance(queue[0], _Mark):
            self._marks_reached.append(queue[0].name)
            queue.popleft()

    def _forget_if_done(self, item: _Item) -> None:
        if item.finished and item.queued_bytes == 0 and self._items.get(item.item_id) is item:
            del self._items[item.item_id]
            self._items_finished.append(item.item_id)

    def flush(self) -> list[Heard]:
        """Drop what is queued; return every item still known, oldest first."""
        heard = [
            Heard(
                item.item_id,
                self._played_bytes(item) / self._bytes_per_ms,
                item.received_bytes / self._bytes_per_ms,
                item.finished,
            )
            for item in self._items.values()
        ]
        self._marks_flushed += [entry.name for entry in self._queue if isinstance(entry, _Mark)]
        self._queue.clear()
        self._items.clear()
        self._item = None
        self._chunk = _NOTHING
        self._chunk_bytes = self._offset_bytes = self._waiting_bytes = 0
        self._starved = False
        return heard

    def _played_bytes(self, item: _Item) -> int:
        inside = self._offset_bytes if item is self._item else 0
        return item.received_bytes - item.queued_bytes + inside

    @property
    def _queued_bytes(self) -> int:
        return self._waiting_bytes + self._chunk_bytes - self._offset_bytes

    @property
    def queued_ms(self) -> float:
        """How long the queued audio lasts."""
        return self._queued_bytes / self._bytes_per_ms

    def played_ms(self, item_id: str) -> float:
        """Return how much of an item was heard; 0 for one that is unknown or already reported."""
        item = self._items.get(item_id)
        return self._played_bytes(item) / self._bytes_per_ms if item else 0.0

    def playing(self) -> tuple[str, float] | None:
        """Return the item that is heard at this moment, and how much of it was, in ms."""
        item = self._item
        if item is None:
            return None
        return item.item_id, self._played_bytes(item) / self._bytes_per_ms

    def marks_reached(self) -> list[str]:
        """Return and forget the marks before which everything was heard."""
        reached, self._marks_reached = self._marks_reached, []
        return reached

    def marks_flushed(self) -> list[str]:
        """Return and forget the marks that a flush dropped; they are never reached."""
        flushed, self._marks_flushed = self._marks_flushed, []
        return flushed

    def items_finished(self) -> list[str]:
        """Return and forget the items that were heard to their end."""
        finished, self._items_finished = self._items_finished, []
        return finished
