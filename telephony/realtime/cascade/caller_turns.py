"""The caller's side of a cascade: audio and transcripts become turns of the conversation."""

from __future__ import annotations

from dataclasses import dataclass, field

from telephony.base.speech import Transcript, TurnHint
from telephony.realtime.cascade.answering import Answering
from telephony.realtime.cascade.echo_hold import EchoHold
from telephony.realtime.cascade.listening import Listening, TurnFact
from telephony.realtime.cascade.messages import AppendAudio, FinishTurn
from telephony.realtime.cascade.reply import Ask
from telephony.realtime.cascade.state import CascadeState
from telephony.realtime.countdown import Countdown
from telephony.realtime.events import (
    InputCommitted,
    SpeechStarted,
    SpeechStopped,
    TranscriptFailed,
    TranscriptFinished,
)
from telephony.realtime.history import HistoryItem

NOT_UNDERSTOOD = "The caller said something that could not be understood."
_SPEECH_MS = 300
"""Voice that was surely meant to say something."""


@dataclass(slots=True)
class _Turn:
    item_id: str
    cuts_before: int
    finals: list[str] = field(default_factory=list)
    guess: str = ""
    hint: TurnHint | None = None

    @property
    def text(self) -> str:
        return " ".join([*self.finals, self.guess]).strip()

    def add(self, transcript: Transcript) -> None:
        text = transcript.text.strip()
        if transcript.is_final:
            self.guess = ""
            if text:
                self.finals.append(text)
        else:
            self.guess = text
        if transcript.hint is not None or text:
            self.hint = transcript.hint


class CallerTurns:
    """One turn at a time is open, and one waits for the transcriber's last word."""

    def __init__(self, state: CascadeState, answering: Answering) -> None:
        self._state = state
        self._answering = answering
        self.listening = Listening(state.input_format, state.config.end_of_turn.policy())
        brief = state.brief
        self._hold = EchoHold(state.input_format, brief.playing, brief.hears_caller)
        self._open: _Turn | None = None
        self._ended: _Turn | None = None
        self._flushes = 0
        self._last_item_id = ""
        self.flush_timer = Countdown()

    def reset(self) -> None:
        """The services are new: they heard nothing yet."""
        self.listening.reset()
        self._hold.reset()
        self._open = self._ended = None
        self._flushes = 0
        self._last_item_id = ""
        self.flush_timer.stop()
        self._state.caller_speaking = False

    # Facts of the audio

    def hear(self, audio: bytes) -> AppendAudio:
        """Take the caller's next audio; returns what of it the transcriber may hear now."""
        audio = self._hold.pass_on(audio, turn_open=self.listening.open)
        self._state.billed_bytes += len(audio)
        return AppendAudio(audio, self.listening.append(audio))

    def follow(self) -> None:
        """Act on what the audio told."""
        for fact in self.listening.facts():
            if fact.kind == "began":
                self._began(fact)
            elif fact.kind == "likely":
                self._likely()
            elif fact.kind == "resumed":
                self._answering.drop_speculation()
            else:
                self._end(fact)

    def _began(self, fact: TurnFact) -> None:
        # Whoever goes on before the answer began has not ended.
        turn, self._ended = self._ended, None
        self.flush_timer.stop()
        self._answering.drop_speculation()
        self._open = turn or _Turn(self._state.item_id(), self._state.cuts)
        self._open.hint = None
        self._state.caller_speaking = True
        self._state.events.append(SpeechStarted(self._open.item_id, fact.audio_ms))

    def _likely(self) -> None:
        if self._open is not None and self._state.config.end_of_turn.speculative:
            self._speculate(self._open)

    def _speculate(self, turn: _Turn) -> None:
        text = turn.text
        if self._answering.speculates_on_other(text):
            self._answering.drop_speculation()
        if text:
            self._answering.speculate(text)

    def _end(self, fact: TurnFact) -> None:
        turn, self._open = self._open, None
        if turn is None:
            return
        state = self._state
        state.events.append(SpeechStopped(turn.item_id, fact.audio_ms))
        if turn.hint == "ended" and self._trusts_hints and turn.finals and not turn.guess:
            self._commit(turn)
            return
        self._ended = turn
        self._flushes += 1
        state.outbox.append(FinishTurn())
        self.flush_timer.start(state.config.end_of_turn.transcript_ms / 1000)
        if state.config.end_of_turn.speculative:
            # The transcriber's last word is seldom another one.
            self._speculate(turn)

    # What the transcriber says

    def transcript_received(self, transcript: Transcript) -> None:
        turn = self._open or self._ended
        text = transcript.text.strip()
        if turn is None:
            # Who was given silence only heard these words before.
            if self._flushes or not text or self._hold.engaged:
                self._add_late_words(transcript, text)
                return
            self.listening.begin()
            self.follow()
            turn = self._open
            if turn is None:
                return
        turn.add(transcript)
        if self._answering.speculates_on_other(turn.text):
            self._answering.drop_speculation()
        if turn is self._open:
            self.listening.words_heard(turn.text, turn.hint)
            self.follow()
        elif turn.hint == "ended" and self._trusts_hints and not turn.guess:
            self._commit_ended()
        elif self._state.config.end_of_turn.speculative:
            self._speculate(turn)

    @property
    def _trusts_hints(self) -> bool:
        return self._state.config.end_of_turn.trust_hints

    def _add_late_words(self, transcript: Transcript, text: str) -> None:
        """Words that came after we had stopped waiting for them belong to the turn before."""
        item = self._state.history.get(self._last_item_id)
        if item is not None and text and transcript.is_final:
            self._state.cascade_stats.late_words += 1
            item.append_text(f" {text}")

    def turn_flushed(self) -> None:
        self._flushes = max(0, self._flushes - 1)
        if self._flushes == 0:
            self._commit_ended()

    def handle_timer(self, now: float) -> None:
        if self.flush_timer.expired(now):
            self._commit_ended()

    def _commit_ended(self) -> None:
        turn, self._ended = self._ended, None
        self.flush_timer.stop()
        if turn is not None:
            self._commit(turn)

    def _commit(self, turn: _Turn) -> None:
        text = turn.text
        self._state.caller_speaking = False
        if not text:
            self._commit_nothing(turn)
            return
        item = HistoryItem(turn.item_id, "message", "user")
        item.replace_text(text)
        self._state.history.place(item)
        self._last_item_id = turn.item_id
        self._state.events.append(InputCommitted(turn.item_id))
        self._state.events.append(TranscriptFinished("user", turn.item_id, text))
        self._answering.caller_said(text)

    def _commit_nothing(self, turn: _Turn) -> None:
        """A sound that was no words: it is answered when it was long, or cut the bot off."""
        state = self._state
        state.cascade_stats.empty_turns += 1
        self._answering.drop_speculation()
        state.events.append(TranscriptFailed(turn.item_id, "no_words", NOT_UNDERSTOOD))
        if self.listening.voiced_ms >= _SPEECH_MS or state.cuts != turn.cuts_before:
            self._answering.request(Ask(NOT_UNDERSTOOD))
