"""The model's speech as it arrives: bytes per item, in the format it really has."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.audio.format import L16_24K, AudioFormat
from telephony.realtime.events import AudioDelta
from telephony.realtime.format_evidence import FormatEvidence

_MAX_ITEMS = 64


@dataclass(slots=True)
class _Item:
    received_bytes: int = 0
    passed_bytes: int = 0
    carry: bytes = b""
    finished: bool = False


class SpokenAudio:
    """Counts what was received of each item and passes it on in whole samples.

    While it is not sure that the bytes are the G.711 we asked for, audio that could hurt is held
    back; a few hundred bytes settle it. What is no G.711 then is taken for ``otherwise``.
    """

    def __init__(self, asked: AudioFormat, otherwise: AudioFormat = L16_24K) -> None:
        self.format = asked
        self._otherwise = otherwise
        self._items: dict[str, _Item] = {}
        self._held: list[AudioDelta] = []
        self._evidence: FormatEvidence | None = None
        self.expect(asked)

    def expect(self, audio_format: AudioFormat) -> None:
        """The server says that this is the format from now on."""
        self.format = audio_format
        self._held.clear()
        self._evidence = None
        if audio_format.encoding != "l16":
            self._evidence = FormatEvidence(audio_format)

    def receive(self, delta: AudioDelta) -> list[AudioDelta]:
        """Return the deltas to pass on, in :attr:`format`, which may have changed by now."""
        self.count(delta.item_id, len(delta.audio))
        if self._evidence is None:
            return self._aligned([delta])
        self._held.append(delta)
        verdict = self._evidence.feed(delta.audio)
        if verdict == "unsure":
            return []
        return self._settle(verdict == "l16", keep_looking=verdict == "harmless")

    def finish(self, item_id: str) -> list[AudioDelta]:
        """No more audio comes for the item; returns as :meth:`receive` does."""
        self._item(item_id).finished = True
        return self.flush()

    def flush(self) -> list[AudioDelta]:
        """Pass on what was held back, on what evidence there is."""
        if self._evidence is None or not self._held:
            return []
        return self._settle(self._evidence.leaning() == "l16", keep_looking=True)

    def drop_held(self, response_id: str) -> None:
        """Forget what is held back of this response."""
        self._held = [delta for delta in self._held if delta.response_id != response_id]

    def _settle(self, is_l16: bool, *, keep_looking: bool) -> list[AudioDelta]:
        held, self._held = self._held, []
        if is_l16:
            self.format = self._otherwise
        if is_l16 or not keep_looking:
            self._evidence = None
        return self._aligned(held)

    def _aligned(self, deltas: list[AudioDelta]) -> list[AudioDelta]:
        """Move half a sample at the end of a delta to the next one of the same item."""
        passed = []
        for delta in deltas:
            item = self._item(delta.item_id)
            audio = item.carry + delta.audio if item.carry else delta.audio
            odd = len(audio) % self.format.bytes_per_sample
            item.carry = audio[len(audio) - odd :]
            if odd:
                audio = audio[:-odd]
            item.passed_bytes += len(audio)
            if audio is not delta.audio:
                delta = AudioDelta(delta.response_id, delta.item_id, delta.content_index, audio)
            if audio:
                passed.append(delta)
        return passed

    def count(self, item_id: str, size_bytes: int) -> None:
        """Count audio of an item, be it passed on or dropped."""
        self._item(item_id).received_bytes += size_bytes

    def received_ms(self, item_id: str) -> float:
        item = self._items.get(item_id)
        return self.format.duration_ms(item.received_bytes) if item else 0.0

    def passed_ms(self, item_id: str) -> float:
        """Return how much of the item was passed on: no more than that can have been heard."""
        item = self._items.get(item_id)
        return self.format.duration_ms(item.passed_bytes) if item else 0.0

    def is_finished(self, item_id: str) -> bool:
        item = self._items.get(item_id)
        return item is not None and item.finished

    def _item(self, item_id: str) -> _Item:
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = _Item()
            if len(self._items) > _MAX_ITEMS:
                del self._items[next(iter(self._items))]
        return item
