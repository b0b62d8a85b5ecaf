"""What the caller hears of the bot: its playout, and the moments that begin and end a talkspurt."""

from __future__ import annotations

from telephony.audio.echo_gate import EchoGate
from telephony.audio.format import AudioFormat
from telephony.base.interfaces import CallMetrics
from telephony.calls.agent import Agent
from telephony.calls.bridge_listener import BridgeListener, BridgeStats
from telephony.calls.downlink import Downlink
from telephony.calls.keypad import Keypad
from telephony.calls.turn_taking import TurnTaking
from telephony.realtime.dialect import Dialect
from telephony.realtime.traits import Traits
from telephony.turns.barge_in import DeleteItem, corrections
from telephony.turns.controller import Interrupt


class BotSpeech:
    """Plays what the model says, tells the turns of it, and cuts it off."""

    def __init__(
        self,
        agent: Agent,
        line: AudioFormat,
        model: AudioFormat,
        ptime_ms: int,
        turns: TurnTaking,
        echo: EchoGate,
        keypad: Keypad,
        listener: BridgeListener,
        metrics: CallMetrics,
    ) -> None:
        self.stats = BridgeStats()
        self.downlink = Downlink(line, model, ptime_ms=ptime_ms, prebuffer_ms=agent.prebuffer_ms)
        self.talking = False
        self.was_heard = False
        """True once the caller heard the bot say something."""
        self.last_sent_at = float("-inf")
        self._filling = False
        self._ptime_ms = ptime_ms
        self._latency_ms = agent.playout_latency_ms
        self._turns = turns
        self._echo = echo
        self._keypad = keypad
        self._listener = listener
        self._metrics = metrics

    def follow(self, agent: Agent, traits: Traits) -> None:
        """Play what another agent says, or a model with other traits."""
        wish_ms = traits.prebuffer_ms
        self.downlink.prebuffer_ms = agent.prebuffer_ms if wish_ms is None else wish_ms
        self._latency_ms = agent.playout_latency_ms

    def next_frame(self, now: float) -> bytes | None:
        """Return the bot's next ptime, or None while it is silent."""
        frame = self.downlink.next_frame()
        if frame is not None:
            self.last_sent_at = now
            self._echo.sent(frame)
            if not self.talking or (self._filling and not self.downlink.filling):
                self._talkspurt_started(now)
        elif self.talking and self.downlink.idle:
            self.talking = False
            self._turns.playout_drained(now)
            self._keypad.expect(now)
            self._listener.playout_drained()
        return frame

    def _talkspurt_started(self, now: float) -> None:
        """Something begins to be heard: the bot, or a filler in the place of its answer."""
        self.talking = True
        self._filling = self.downlink.filling
        self.was_heard |= not self._filling
        self._keypad.forget()
        latency = self._turns.playout_started(now)
        if latency is not None:
            self.stats.latencies.append(latency)
            self._metrics.turn_latency(
                latency.total_s, latency.caller_to_model_s, latency.model_to_caller_s
            )
            self._listener.turn_measured(latency)

    def cut_off(self, command: Interrupt, dialect: Dialect, now: float) -> float | None:
        """Flush, fence, cancel, truncate: one turn of the loop, nothing in between.

        Returns how long the caller's barge-in took to be obeyed; None when nothing was heard, or
        the cut was ours.
        """
        was_talking = self.talking
        heard = self.downlink.flush()
        self.talking = False
        self._turns.playout_drained(now)
        if command.response_id is not None:
            dialect.fence(command.response_id)
        if command.cancel:
            dialect.cancel_response(command.response_id)
        for correction in corrections(heard, self._latency_ms):
            if isinstance(correction, DeleteItem):
                dialect.delete_item(correction.item_id)
            else:
                dialect.truncate_item(correction.item_id, correction.audio_end_ms)
        return self._count(command) if was_talking else None

    def _count(self, command: Interrupt) -> float | None:
        if command.reason == "command":
            self.stats.cut_offs += 1
            return None
        onset_at = self._turns.onset_of(command)
        seconds = max(0.0, self.last_sent_at + self._ptime_ms / 1000 - onset_at)
        self.stats.barge_ins += 1
        self.stats.barge_in_s.append(seconds)
        self._metrics.barge_in(seconds, command.reason)
        return seconds
