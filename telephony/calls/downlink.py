"""Model to caller: deltas become tagged playout, and playout becomes line frames."""

from __future__ import annotations

from telephony.audio.convert import Converter
from telephony.audio.format import AudioFormat
from telephony.calls.filler import Filler
from telephony.rtp.playout import Heard, Playout


class Downlink:
    """Converts the model's audio to the line's format and plays it out, item by item.

    A talkspurt starts when ``prebuffer_ms`` are queued or its item is finished, so that a model
    whose first deltas are small does not stutter. A sound of ours fills in for an answer until
    that is there; it is no item, as no model knows of it.
    """

    __slots__ = (
        "_converter",
        "_filler",
        "_item_id",
        "_line",
        "_model",
        "_playout",
        "_ptime_ms",
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
        self._ptime_ms = ptime_ms
        self._filler: Filler | None = None
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
    def filling(self) -> bool:
        """True while what is heard is our filler."""
        return self._filler is not None and self._filler.begun

    @property
    def idle(self) -> bool:
        """True when nothing is being said and nothing waits to be."""
        return not self._speaking and not self._playout.queued_ms and self._filler is None

    def change_model_format(self, model: AudioFormat) -> None:
        """Read the model's audio as ``model`` from here on, that of an open item too."""
        if model == self._model:
            return
        self._write_tail()
        self._model = model
        self._converter = Converter(model, self._line)

    def write(self, item_id: str, audio: bytes) -> None:
        """Queue model audio of ``item_id``; a new item ends the one before, and the filler."""
        if self._filler is not None:
            self._answer_is_there(self._filler)
        if item_id != self._item_id:
            self._finish_item()
            self._item_id = item_id
        self._playout.write(item_id, self._converter.convert(audio))

    def play(self, audio: bytes) -> None:
        """Fill in with audio in the line's format, after what is queued and until an answer."""
        self._finish_item()
        if self._filler is None and audio:
            self._filler = Filler(audio, self._line, self._ptime_ms)

    def _answer_is_there(self, filler: Filler) -> None:
        if filler.begun:
            filler.end_soon()
        else:
            self._filler = None

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
        if self._filler is not None and (frame := self._next_of(self._filler)) is not None:
            return frame
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

    def _next_of(self, filler: Filler) -> bytes | None:
        """Return the filler's next frame, once what was queued before it has been heard."""
        if not filler.begun and self._playout.queued_ms:
            return None
        frame = filler.next_frame()
        self._speaking = frame is not None
        if frame is None:
            self._filler = None
        return frame

    def playing(self) -> tuple[str, float] | None:
        """Return the item that is heard at this moment, and how much of it was, in ms."""
        return self._playout.playing()

    def flush(self) -> list[Heard]:
        """Drop what was not played yet; return what the caller heard of each item."""
        self._item_id = self._filler = None
        self._converter.flush()
        self._speaking = False
        return self._playout.flush()
