"""Model to caller: deltas become tagged playout, and playout becomes line frames."""

from __future__ import annotations

from telephony.audio.convert import Converter
from telephony.audio.format import AudioFormat
from telephony.rtp.playout import Heard, Playout

FILLER = "filler"
"""The item of what we say in the model's place; no model knows it."""


class Downlink:
    """Converts the model's audio to the line's format and plays it out, item by item.

    A talkspurt starts when ``prebuffer_ms`` are queued or its item is finished, so that a model
    whose first deltas are small does not stutter.
    """

    __slots__ = (
        "_converter",
        "_item_id",
        "_line",
        "_model",
        "_playout",
        "_speaking",
        "prebuffer_ms",
    )

    def __init__(
        self, line: AudioFormat, model: AudioFormat, *, ptime_ms: int, prebuffer_ms: int
    ) -> None:
        self._line = line
        self._model = model
        self._converter = Converter(model, line)
        self._playout = Playout(
            bytes_per_ms=line.bytes_per_second // 1000,
            ptime_ms=ptime_ms,
            silence_byte=line.silence(1)[0],
        )
        self.prebuffer_ms = prebuffer_ms
        self._item_id: str | None = None
        self._speaking = False

    @property
    def speaking(self) -> bool:
        """True while frames of a talkspurt go out."""
        return self._speaking

    @property
    def queued_ms(self) -> float:
        return self._playout.queued_ms

    @property
    def idle(self) -> bool:
        """True when nothing is being said and nothing waits to be."""
        return not self._speaking and not self._playout.queued_ms

    def change_model_format(self, model: AudioFormat) -> None:
        """Read the model's audio as ``model`` from here on, that of an open item too."""
        if model == self._model:
            return
        self._write_tail()
        self._model = model
        self._converter = Converter(model, self._line)

    def write(self, item_id: str, audio: bytes) -> None:
        """Queue model audio of ``item_id``; a new item ends the one before."""
        if item_id != self._item_id:
            self._finish_item()
            self._item_id = item_id
        self._playout.write(item_id, self._converter.convert(audio))

    def play(self, audio: bytes) -> None:
        """Queue audio that is in the line's format already, as an item of its own."""
        self._finish_item()
        self._playout.write(FILLER, audio)
        self._playout.finish_item(FILLER)

    def finish(self, item_id: str) -> None:
        """No more audio of ``item_id`` comes."""
        if item_id == self._item_id:
            self._finish_item()

    def finish_all(self) -> None:
        """No more audio of whatever item is open comes (its response is over)."""
        self._finish_item()

    def _finish_item(self) -> None:
        self._write_tail()
        item_id, self._item_id = self._item_id, None
        if item_id is not None:
            self._playout.finish_item(item_id)

    def _write_tail(self) -> None:
        """Queue what the converter held back; the next audio begins a stream of its own."""
        tail = self._converter.flush()
        if tail and self._item_id is not None:
            self._playout.write(self._item_id, tail)

    def next_frame(self) -> bytes | None:
        """Return the frame to send now, or None when nothing is to be said."""
        if not self._speaking:
            queued_ms = self._playout.queued_ms
            if not queued_ms or (queued_ms < self.prebuffer_ms and self._item_id is not None):
                return None
        frame = self._playout.next_frame()
        if frame is None:
            self._speaking = False
            self._playout.items_finished()
        else:
            self._speaking = True
        return frame

    def playing(self) -> tuple[str, float] | None:
        """Return the item that is heard at this moment, and how much of it was, in ms."""
        return self._playout.playing()

    def flush(self) -> list[Heard]:
        """Drop what was not played yet; return what the caller heard of each item."""
        self._item_id = None
        self._converter.flush()
        self._speaking = False
        return self._playout.flush()
