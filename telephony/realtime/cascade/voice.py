"""Text to speech and back: what a reply says, how much audio came of it, when that ends."""

from __future__ import annotations

from telephony.realtime.cascade.messages import CancelSpeech, FlushSpeech, Speak
from telephony.realtime.cascade.reply import Reply
from telephony.realtime.cascade.state import CascadeState
from telephony.realtime.countdown import Countdown
from telephony.realtime.events import (
    AudioDelta,
    AudioFinished,
    TranscriptDelta,
    TranscriptFinished,
)
from telephony.realtime.history import HistoryItem

_STALL_S = 10.0
_NO_BLANK_AFTER = "。？！｡，、；：．"


class Voice:
    """Speaks one reply at a time."""

    def __init__(self, state: CascadeState) -> None:
        self._state = state
        self.stall_timer = Countdown()
        self.silent_from = 0.0
        """When what was received will have been played, if it is played at once."""

    def speak(self, reply: Reply, piece: str) -> None:
        """Add a piece to what a reply says; one that is held keeps what comes of it."""
        if reply.held and not reply.early:
            reply.waiting_pieces.append(piece)
            return
        outbox, spoken = self._state.outbox, reply.spoken
        first = not spoken.text
        text = piece if first or spoken.text[-1] in _NO_BLANK_AFTER else f" {piece}"
        spoken.text += text
        outbox.append(Speak(spoken.item_id, text, more_follows=True))
        if first and not reply.written:
            outbox.append(FlushSpeech(spoken.item_id))
        self.stall_timer.start(_STALL_S)
        if reply.held:
            reply.early_texts.append(text)
        else:
            self._said(reply, text)

    def _said(self, reply: Reply, text: str) -> None:
        """Take words into the conversation."""
        state, item_id = self._state, reply.spoken.item_id
        state.remember(reply.spoken)
        if not reply.ask.out_of_band:
            item = HistoryItem(item_id, "message", "assistant", response_id=reply.group)
            state.history.place(item, reply.after).append_text(text)
            reply.after = item_id
        state.events.append(TranscriptDelta("assistant", item_id, text))

    def reveal(self, reply: Reply) -> None:
        """Let that be heard which was spoken while the reply was held."""
        texts, reply.early_texts = reply.early_texts, []
        audio, reply.early_audio = reply.early_audio, []
        for text in texts:
            self._said(reply, text)
        for piece in audio:
            self._pass_on(reply, piece, self._state.now)

    def end(self, reply: Reply) -> bool:
        """No piece follows; returns whether there was any."""
        if not reply.spoken.text:
            return False
        self._state.outbox.append(Speak(reply.spoken.item_id, "", more_follows=False))
        return True

    def audio_received(self, reply: Reply, audio: bytes, now: float) -> None:
        reply.spoken.received_bytes += len(audio)
        self.stall_timer.start_at(_STALL_S, now)
        if reply.held:
            reply.early_audio.append(audio)
        else:
            self._pass_on(reply, audio, now)

    def _pass_on(self, reply: Reply, audio: bytes, now: float) -> None:
        state, spoken = self._state, reply.spoken
        if state.is_fenced(reply.response_id):
            state.stats.fenced_deltas += 1
            return
        state.stats.audio_deltas += 1
        state.stats.audio_bytes += len(audio)
        length_s = state.output_format.duration_ms(len(audio)) / 1000
        self.silent_from = max(self.silent_from, now) + length_s
        state.events.append(AudioDelta(reply.response_id, spoken.item_id, 0, audio))

    def finished(self, reply: Reply) -> None:
        """All audio of a reply has come; of one that is held that is told later."""
        state, spoken = self._state, reply.spoken
        self.stall_timer.stop()
        spoken.finished = True
        if reply.held:
            return
        state.events.append(AudioFinished(reply.response_id, spoken.item_id))
        state.events.append(TranscriptFinished("assistant", spoken.item_id, spoken.text))

    def stalled(self, reply: Reply | None, now: float) -> bool:
        """Whether no audio comes of words that were given long ago."""
        if not self.stall_timer.expired(now) or reply is None:
            return False
        if reply.written or not reply.spoken.received_bytes:
            return True
        # It may have spoken all there is: the model writes on.
        self.stall_timer.start_at(_STALL_S, now)
        return False

    def cancel(self, reply: Reply) -> None:
        """Make no more audio; words of which none came were not said."""
        self.stall_timer.stop()
        self.silent_from = 0.0
        spoken = reply.spoken
        if not spoken.text or spoken.finished:
            return
        self._state.outbox.append(CancelSpeech(spoken.item_id))
        self._state.cut_to_received(spoken)
