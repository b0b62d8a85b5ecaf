"""The bridge: a leg's media on one side, a realtime model on the other.

Everything here runs in event-loop callbacks and never awaits: a frame comes and goes once a
ptime, model messages arrive in between, and a barge-in is carried out in one piece.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from telephony.audio.echo_gate import EchoGate
from telephony.audio.format import AudioFormat
from telephony.audio.g711 import decode
from telephony.audio.vad import VoiceActivityDetector
from telephony.base.interfaces import CallMetrics, Clock, ModelConnection
from telephony.calls.agent import Agent
from telephony.calls.bot_speech import BotSpeech
from telephony.calls.bridge_listener import BridgeListener, BridgeStats
from telephony.calls.caller_turns import CallerTurns
from telephony.calls.keypad import Keypad
from telephony.calls.turn_taking import TurnTaking
from telephony.calls.uplink import Uplink
from telephony.realtime import events as model
from telephony.realtime.dialect import Dialect
from telephony.turns.controller import Interrupt


class Bridge:
    """One leg and one model session at a time; outlives the connections to the model."""

    def __init__(
        self,
        agent: Agent,
        line: AudioFormat,
        ptime_ms: int,
        dialect: Dialect,
        listener: BridgeListener,
        metrics: CallMetrics,
        clock: Clock,
    ) -> None:
        self._line = line
        self.dialect = dialect
        self._listener = listener
        self._clock = clock
        self._connection: ModelConnection | None = None
        self._vad = VoiceActivityDetector(agent.vad, line.sample_rate_hz)
        self.echo = EchoGate(self._vad, line, ptime_ms)
        self._turns = TurnTaking(agent, dialect.traits, clock())
        self.uplink = Uplink(
            line, dialect.input_format, ptime_ms=ptime_ms, append_ms=agent.append_ms
        )
        self._caller = CallerTurns(dialect, self._vad, self.uplink, listener, self.send_control)
        self._keypad = Keypad(agent.keypad)
        self.speech = BotSpeech(
            agent,
            line,
            dialect.output_format,
            ptime_ms,
            self._turns,
            self.echo,
            self._keypad,
            listener,
            metrics,
        )
        self._downlink = self.speech.downlink
        self._traits = dialect.traits
        self.speech.follow(agent, dialect.traits)
        self.spoken_response_id = ""
        """The last response of which audio came."""
        self.interrupted_response_id = ""
        """The last response that the caller cut off."""
        self._react: dict[type, Callable[[Any, float], None]] = {
            model.SessionReady: self._session_ready,
            model.SessionExpiring: lambda e, _: listener.session_expiring(e.left_s),
            model.OutputFormatChanged: self._output_format_changed,
            model.ResponseStarted: self._response_started,
            model.AudioDelta: self._audio_delta,
            model.AudioFinished: self._audio_finished,
            model.SpeechStarted: self._speech_started,
            model.ModelInterrupted: lambda _, now: self._turns.model_interrupted(now),
            model.SpeechStopped: self._speech_stopped,
            model.InputCommitted: self._input_committed,
            model.TranscriptDelta: lambda e, _: listener.transcript_grew(e.role, e.item_id, e.text),
            model.TranscriptFinished: lambda e, _: listener.transcript(e.role, e.text, e.item_id),
            model.ToolCallsCancelled: lambda e, _: listener.tool_calls_cancelled(e.call_ids),
            model.UsageReported: lambda e, _: self._used(e.usage, e.model),
            model.ApprovalRequested: lambda e, _: listener.approval_requested(e),
            model.ResponseFinished: self._response_finished,
            model.ModelError: lambda e, _: listener.model_failed(e),
        }

    @property
    def stats(self) -> BridgeStats:
        return self.speech.stats

    @property
    def caller_hears(self) -> bool:
        """True while something is being said, or waits to be."""
        return self.speech.talking or not self._downlink.idle

    @property
    def quiet(self) -> bool:
        """True while nobody speaks and no answer is under way."""
        waits = self._caller.owed or self._turns.caller_waits or self.dialect.active_response_id
        return not (self._vad.speaking or self.caller_hears or waits)

    @property
    def caller_waits(self) -> bool:
        """True while the caller has spoken and no answer has begun to play."""
        return self._turns.caller_waits

    @property
    def turn_follows(self) -> bool:
        """True when a model just connected hears the caller's turn now, and answers that."""
        return self._caller.follows

    # The leg's side: once a ptime.

    def hear(self, frame: bytes, now: float) -> None:
        """Take one ptime of the caller."""
        vad = self._vad
        changed = self.echo.process(decode(self._line, frame))
        if vad.speaking or changed is not None:
            self._turns.local_speech(changed, vad, now)
            self._keypad.answered()
            self._caller.speech(changed)
        self.uplink.hear(frame, now)
        if self._caller.catches_up:
            self._caller.connected()
        if now >= self._turns.next_timer:
            self._turns.handle_timer(now)
        if now >= self._keypad.next_timer:
            self._tell(self._keypad.pause(now))
        if self._turns.has_commands:
            self._obey(now)

    def speak(self, now: float) -> bytes | None:
        """Return the bot's next ptime, or None while it is silent."""
        return self.speech.next_frame(now)

    def interrupt_bot(self) -> None:
        """Cut the bot off, whatever it says: flushed, fenced, cancelled, truncated."""
        now = self._clock()
        self._turns.interrupt_bot(now)
        self._obey(now)

    def playing(self) -> tuple[str, float] | None:
        """Return the item that the caller hears at this moment, and how much of it was heard."""
        return self._downlink.playing()

    def fill(self, audio: bytes) -> None:
        """Play audio of ours, in the line's format, as if the bot said it."""
        self._downlink.play(audio)

    def caller_held(self, held: bool) -> None:
        """The caller put us on hold, or came back."""
        self._turns.caller_held(held, self._clock())
        self._keypad.forget()

    def digit_received(self, digit: str, *, held: bool = False) -> None:
        """Take a digit: it may interrupt the bot at once, the model hears of the whole entry.

        ``held``: the key is still down, and :meth:`digit_finished` follows.
        """
        now = self._clock()
        self._turns.digit_received(now)
        self._obey(now)
        self._tell(self._keypad.press(digit, now, held=held))

    def digit_finished(self) -> None:
        """The key that was held is let go of."""
        self._keypad.release(self._clock())

    def _tell(self, entry: str | None) -> None:
        if entry is not None:
            self._listener.caller_turn_ended(by_model=True)
            self.dialect.add_user_text(entry)
            self.dialect.create_response()
            self.send_control()

    # The model's side.

    def connected(self, connection: ModelConnection) -> None:
        """A socket to the model is open; configure the session on it."""
        self._connection = connection
        self.dialect.connection_made(self._clock())
        self.send_control()

    def change_session(self, agent: Agent, dialect: Dialect) -> None:
        """Go on with another session of the same conversation, which has no connection yet.

        What is queued still plays.
        """
        if self._connection is not None:
            self.disconnected()
        self.dialect, self._traits = dialect, dialect.traits
        self._caller.follow(dialect)
        self._turns.change_model(agent, dialect.traits, self._clock())
        self._keypad.follow(agent.keypad)
        self.speech.follow(agent, dialect.traits)

    def attach(self, connection: ModelConnection) -> None:
        """Talk over a connection on which the session is ready already."""
        self._connection = connection
        self._begin(self._clock())

    def disconnected(self) -> None:
        """The socket is gone: what is queued still plays, what the caller says is kept."""
        now = self._clock()
        self._connection = None
        self._caller.disconnected()
        self.uplink.disconnect()
        self.dialect.connection_lost(now)
        self._pull_events(now)
        self._turns.model_disconnected(now)

    def message_received(self, message: Any) -> None:
        """Take one message of the model."""
        now = self._clock()
        self.dialect.receive_message(message, now)
        self._pull_events(now)
        self.send_control()

    def handle_timer(self) -> None:
        """Let the dialect act on its deadline."""
        now = self._clock()
        self.dialect.handle_timer(now)
        self._pull_events(now)
        self.send_control()

    def send_control(self) -> None:
        """Send what the dialect has to say."""
        messages = self.dialect.messages_to_send()
        connection = self._connection
        if connection is not None:
            for message in messages:
                connection.send(message)
        self._listener.timers_changed()

    def _pull_events(self, now: float) -> None:
        for event in self.dialect.events_received():
            react = self._react.get(type(event))
            if react is not None:
                react(event, now)
        if self._turns.has_commands:
            self._obey(now)

    def _send_audio(self, audio: bytes) -> bool:
        connection = self._connection
        return connection is not None and connection.send_audio(self.dialect.append_message(audio))

    # What the model reports.

    def _session_ready(self, event: model.SessionReady, now: float) -> None:
        self._begin(now)
        self._listener.session_ready()

    def _begin(self, now: float) -> None:
        dialect = self.dialect
        self._downlink.change_model_format(dialect.output_format)
        # The conversation so far goes before what the caller said meanwhile.
        self.send_control()
        if self._caller.nothing_held:
            # Whatever voice is in it is the bot's own.
            self.uplink.mute_echo(self.speech.last_sent_at, now)
        self.uplink.connect(dialect.input_format, self._send_audio, now)
        self._caller.connected()

    def _output_format_changed(self, event: model.OutputFormatChanged, now: float) -> None:
        self._downlink.change_model_format(event.format)

    def _response_started(self, event: model.ResponseStarted, now: float) -> None:
        if not event.out_of_band:
            self.stats.responses += 1
            self._turns.response_started(event.response_id, now)

    def _audio_delta(self, event: model.AudioDelta, now: float) -> None:
        self.spoken_response_id = event.response_id
        self._downlink.write(event.item_id, event.audio)
        self._turns.audio_received(event.response_id, event.item_id, now)

    def _audio_finished(self, event: model.AudioFinished, now: float) -> None:
        self._downlink.finish(event.item_id)

    def _speech_started(self, event: model.SpeechStarted, now: float) -> None:
        start_ms = event.audio_start_ms
        heard_at = None if start_ms is None else self.uplink.time_of(start_ms)
        self._turns.server_speech_started(heard_at, now)

    def _speech_stopped(self, event: model.SpeechStopped, now: float) -> None:
        self._turns.server_speech_stopped(self._voice_ended_at(event, now), now)
        self._listener.caller_turn_ended(by_model=True)

    def _voice_ended_at(self, event: model.SpeechStopped, now: float) -> float:
        """Return when the caller's voice was last heard: the model waits before it is sure."""
        if self._vad.speaking:
            return now - self._vad.trailing_silence_ms / 1000
        if event.audio_end_ms is None:
            return now - self._traits.endpointing_ms / 1000
        return self.uplink.time_of(event.audio_end_ms - self._traits.endpointing_ms) or now

    def _input_committed(self, event: model.InputCommitted, now: float) -> None:
        traits = self._traits
        if traits.detects_turns and not traits.responds_by_itself:
            self.dialect.create_response()

    def _response_finished(self, event: model.ResponseFinished, now: float) -> None:
        if event.usage is not None:
            self._used(event.usage, "")
        if not event.out_of_band:
            self._downlink.finish_all()
            self._turns.response_finished(event.response_id, now)
        self._listener.response_finished(event)

    def _used(self, usage: model.Usage, model_name: str) -> None:
        self.stats.count(usage)
        self._listener.usage_reported(usage, model_name)

    # What the turns decide.

    def _obey(self, now: float) -> None:
        for command in self._turns.commands():
            if isinstance(command, Interrupt):
                self._interrupt(command, now)
            else:
                self.dialect.create_response()
        silence = self._turns.silence_verdict()
        if silence is not None:
            self._listener.caller_silent(silence)
        self.send_control()

    def _interrupt(self, command: Interrupt, now: float) -> None:
        if command.response_id is not None:
            self.interrupted_response_id = command.response_id
        seconds = self.speech.cut_off(command, self.dialect, now)
        self.send_control()
        self._listener.interrupted(command.reason, seconds)
