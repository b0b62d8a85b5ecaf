"""Hands the events of a voice to who listens, in order, and none of what was cancelled."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from telephony.base.speech import SynthesizerListener
from telephony.realtime.speech.wires import (
    AudioSpoken,
    SpeakingFailed,
    SpeechAligned,
    SynthesizerEvent,
    UtteranceFinished,
)


class Delivery:
    """Tells in a turn of the loop of its own, so that no command calls its caller back."""

    def __init__(self, listener: SynthesizerListener) -> None:
        self._listener = listener
        self._queue: deque[SynthesizerEvent] = deque()
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._stopped = False

    @property
    def stopped(self) -> bool:
        return self._stopped

    def push(self, events: Iterable[SynthesizerEvent]) -> None:
        if self._stopped:
            return
        self._queue.extend(events)
        if self._queue and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        while self._queue and not self._stopped:
            self._tell(self._queue.popleft())

    def forget(self, utterance_id: str) -> None:
        """Nothing of this utterance is to be told any more."""
        if self._queue:
            self._queue = deque(
                event for event in self._queue if getattr(event, "utterance_id", "") != utterance_id
            )

    def stop(self) -> None:
        self._stopped = True
        self._queue.clear()

    def _tell(self, event: SynthesizerEvent) -> None:
        listener = self._listener
        if isinstance(event, AudioSpoken):
            listener.audio_received(event.utterance_id, event.audio)
        elif isinstance(event, SpeechAligned):
            listener.speech_aligned(event.utterance_id, event.marks)
        elif isinstance(event, UtteranceFinished):
            listener.utterance_finished(event.utterance_id)
        elif isinstance(event, SpeakingFailed):
            if event.failure.fatal:
                self.stop()
            listener.synthesizer_failed(event.failure, event.utterance_id)
