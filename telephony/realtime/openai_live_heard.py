"""Which words of an item were heard when its audio was cut off.

Audio and transcript of a Live session come side by side, without a mark that joins them. The
first word of an item is taken for where its audio begins; from there on both count the
milliseconds of one timeline, of which the audio lacks the long pauses.
"""

from __future__ import annotations

from telephony.realtime.history import HistoryItem, text_heard
from telephony.realtime.openai_live_talkspurts import PREROLL_MS


class SpokenItem:
    """An item of the assistant's, its audio and its words with their places in time.

    ``complete``: the model said all of it. ``fenced``: the rest of it is not to be heard.
    """

    __slots__ = (
        "_clock_ms",
        "_first_word_ms",
        "_runs",
        "_timed",
        "_words",
        "complete",
        "fenced",
        "item",
        "received_ms",
    )

    def __init__(self, item: HistoryItem) -> None:
        self.item = item
        self.complete = self.fenced = False
        self.received_ms = 0.0
        self._clock_ms = 0.0
        self._runs: list[tuple[float, float]] = []
        self._words: list[tuple[float, str]] = []
        self._first_word_ms: float | None = None
        self._timed = True

    def time_passed(self, duration_ms: float) -> None:
        """The model's timeline goes on, be it to be heard or not."""
        self._clock_ms += duration_ms

    def audio_received(self, duration_ms: float) -> None:
        """Audio that ends where the timeline is now is to be heard."""
        begin_ms = self._clock_ms - duration_ms
        if not self._runs or begin_ms - self._time_of(self.received_ms) > 1.0:
            self._runs.append((self.received_ms, begin_ms))
        self.received_ms += duration_ms
        self.item.generated_ms = self.received_ms

    def word(self, text: str, start_ms: float | None, end_ms: float | None) -> None:
        """Take a fragment of the transcript, with its times on the session's timeline.

        Of an item that was cut off only what lies before the cut is kept.
        """
        if start_ms is None or end_ms is None:
            self._timed = False
            start_ms = end_ms = 0.0
        if self._first_word_ms is None:
            self._first_word_ms = start_ms
            text = text.lstrip()
        middle_ms = (start_ms + end_ms) / 2 - self._first_word_ms + PREROLL_MS
        self._words.append((middle_ms, text))
        if self.item.heard_ms is None:
            self.item.append_text(text)
        else:
            self.item.replace_text(self._text_until(self.item.heard_ms))

    def cut(self, audio_end_ms: float) -> None:
        """Keep the words that were more than half said by then."""
        item = self.item
        # Its text is what was heard: no further share of it is to be taken.
        item.heard_ms = item.generated_ms = audio_end_ms
        item.replace_text(self._text_until(audio_end_ms))

    def _text_until(self, audio_end_ms: float) -> str:
        if not self._timed:
            whole = "".join(text for _, text in self._words)
            return text_heard(whole, audio_end_ms, self.received_ms)
        begun_ms = self._runs[0][1] if self._runs else 0.0
        until_ms = self._time_of(audio_end_ms) - begun_ms
        return "".join(text for middle_ms, text in self._words if middle_ms <= until_ms).rstrip()

    def _time_of(self, audio_ms: float) -> float:
        """Return the place on the timeline of a place in the audio."""
        for from_ms, begin_ms in reversed(self._runs):
            if from_ms <= audio_ms:
                return begin_ms + audio_ms - from_ms
        return audio_ms
