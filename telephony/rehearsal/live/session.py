"""One session of the Live rehearsal model, without I/O: it hears and speaks all the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from telephony.audio.format import L16_24K, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.openai_live_config import read_wire_format
from telephony.rehearsal.faults import ConnectionFaults, TurnFaults
from telephony.rehearsal.input_buffer import SpeechBegan
from telephony.rehearsal.listening import Recognition
from telephony.rehearsal.live import fields as client
from telephony.rehearsal.live.hearing import Hearing, decoded
from telephony.rehearsal.live.mouth import FRAME_MS, Mouth, Said
from telephony.rehearsal.live.work import Work
from telephony.rehearsal.model_session import Ending, measured
from telephony.rehearsal.outbox import ClientError, Outbox, Wire, read_object
from telephony.rehearsal.scenario import Scenario
from telephony.rehearsal.script import Cue, Script, Stimulus
from telephony.rehearsal.utterance import Voice

USAGE_INTERVAL_S = 60.0
_MAX_FIXTURE_MS = 30_000
_NORMAL_CLOSE, _REFUSED_CLOSE = 1000, 1008


class LiveSession:
    """The server's side of one connection.

    ``told`` is every append, with its kind and its delegation; ``mouth.said`` what was spoken.
    """

    def __init__(
        self,
        scenario: Scenario,
        voice: Voice,
        ids: Ids,
        unix_time_s: int,
        now: float,
        faults: ConnectionFaults | None = None,
        usage_interval_s: float = USAGE_INTERVAL_S,
    ) -> None:
        token = ids.token(6)
        self.id = f"live_{token}"
        self.ending: Ending | None = None
        self.reading = True
        """False: the fault "stop reading" has struck."""
        self.settings: client.Session | None = None
        self.told: list[tuple[str, str, str | None]] = []
        self.fixtures: list[bytes] = []
        self._memory: list[tuple[str, str] | Said] = []
        self._scenario = scenario
        self._voice = voice
        self._ids = ids
        self._expires_at_unix_s = unix_time_s + round(scenario.max_session_s)
        self._usage_interval_s = usage_interval_s
        self._faults = scenario.faults if faults is None else faults
        self._script = Script(scenario, voice.prompts)
        self._outbox = Outbox(token)
        self._recognitions: list[Recognition] = []
        self._unanswered: list[str] = []
        self._late_frames = 0
        self._stalled = False
        self._timers: dict[Callable[[float], None], float] = {}
        self._begin_faults(self._faults, now)

    def _begin_faults(self, faults: ConnectionFaults, now: float) -> None:
        self._after(faults.drop_after_ms, self._drop, now)
        self._after(faults.stall_after_ms, self._stall, now)
        self._after(faults.stop_reading_after_ms, self._stop_reading, now)
        if faults.error is not None:
            error = ClientError(faults.error.code, faults.error.message, None, faults.error.type)
            self._refuse(error, None)
            if faults.error.close:
                self.ending = Ending(_REFUSED_CLOSE, faults.error.code)

    # What goes in

    def receive_message(self, message: str | bytes, now: float) -> None:
        """Take one frame of the client; whatever is wrong with it becomes an ``error`` event."""
        if self.ending is not None:
            return
        event_id: str | None = None
        try:
            data = read_object(message)
            given = data.get("event_id")
            event_id = given if isinstance(given, str) else None
            if self.settings is None and data.get("type") != "session.start":
                text = "Send session.start first, and nothing else before session.started."
                raise ClientError("session_not_started", text)
            event = client.read_event(data)
            _COMMANDS[type(event)](self, event, now)
        except ClientError as error:
            self._refuse(error, event_id)

    def transcript_ready(self, item_id: str, text: str, now: float) -> None:
        """Take the ears' answer to a :class:`Recognition`; repeated ones do nothing."""
        if self.ending is None and self.settings and self.hearing.transcribed(item_id, text):
            self._unanswered.clear()
            self._memory.append(("user", text))
            self._perform(Stimulus("speech", self._turns, text), "", now)

    def remembered(self) -> list[tuple[str, str]]:
        """Return role and text of what the model believes was said, in order.

        It knows where it fell silent itself, but not what its client did not play.
        """
        return [
            entry
            if isinstance(entry, tuple)
            else ("assistant", entry.text if entry.cut else entry.utterance.transcript)
            for entry in self._memory
        ]

    @property
    def _turns(self) -> int:
        return sum(entry[0] == "user" for entry in self._memory if isinstance(entry, tuple))

    def connection_lost(self) -> None:
        """Keep what was said, but not its sound: sessions are remembered, audio is large."""
        self.ending = self.ending or Ending(None)
        if self.settings is not None:
            self.hearing.forget_audio()

    # What comes out

    def messages_to_send(self) -> list[str]:
        """Return the frames to send; none any more once the fault "stall" has struck."""
        messages = self._outbox.take()
        return [] if self._stalled else messages

    def recognitions_to_do(self) -> list[Recognition]:
        """Return turns to recognise; answer each with :meth:`transcript_ready`."""
        work, self._recognitions = self._recognitions, []
        return work

    def next_timer(self) -> float | None:
        if self.ending is not None:
            return None
        due = list(self._timers.values())
        if self.settings is not None:
            due.append(self.mouth.next_timer())
        return min(due, default=None)

    def handle_timer(self, now: float) -> None:
        for action in [action for action, at in self._timers.items() if at <= now]:
            del self._timers[action]
            action(now)
        if self.ending is None and self.settings is not None:
            self.mouth.handle_timer(now)

    # The session

    def _start(self, event: client.SessionStart, now: float) -> None:
        if self.settings is not None:
            raise ClientError("session_already_started", "The session has started already.")
        asked = event.session
        if not asked.model.startswith(("gpt-live", "rehearsal")):
            self.ending = Ending(_REFUSED_CLOSE, "invalid_model")
            text = f"{asked.model} is not a Live model."
            raise ClientError("invalid_model", text, "session.model")
        self.settings = asked
        wire = asked.audio.format.model_dump() if asked.audio and asked.audio.format else {}
        self.audio_format: AudioFormat = read_wire_format(wire) or L16_24K
        self._memory += [(item.role, item.content[0].text) for item in asked.input or ()]
        self.mouth = Mouth(self._outbox, self.audio_format, now, self._memory.append)
        self.hearing = Hearing(self._outbox, self.audio_format)
        self.work = Work(self._outbox, self._ids, asked.delegation)
        self._timers[self._expire] = now + self._scenario.max_session_s
        self._timers[self._report_usage] = now + self._usage_interval_s
        self._outbox.emit("session.started", session=self._described())

    def _described(self) -> Wire:
        assert self.settings is not None
        given = self.settings.model_dump(exclude_none=True)
        return given | {
            "id": self.id,
            "status": "active",
            "expires_at": self._expires_at_unix_s,
        }

    def _update(self, event: client.SessionUpdate, now: float) -> None:
        assert self.settings is not None
        changed = event.session.delegation
        kept = self.settings.delegation
        if changed is not None and changed.type != (kept.type if kept else "client"):
            text = "The type of delegation cannot change."
            raise ClientError("invalid_value", text, "session.delegation.type")
        changes = event.session.model_dump(exclude_unset=True)
        self.settings = client.Session.model_validate(self.settings.model_dump() | changes)
        self._outbox.emit("session.updated", session=self._described())

    def _close(self, event: client.SessionClose, now: float) -> None:
        self._end("close_requested")

    def _end(self, reason: str) -> None:
        usage = {"seconds": self._seconds}
        session = self._described()
        self._outbox.emit("session.closed", reason=reason, session=session, usage=usage)
        self.ending = Ending(_NORMAL_CLOSE, reason)

    @property
    def _seconds(self) -> float:
        return self.mouth.position_ms / 1000

    def _report_usage(self, now: float) -> None:
        self._timers[self._report_usage] = now + self._usage_interval_s
        usage, window = {"seconds": self._seconds}, {"usage_ratio": 0.01}
        self._outbox.emit("session.usage.updated", usage=usage, context_window=window)

    def _expire(self, now: float) -> None:
        self._end("expired")

    # Hearing and speaking

    def _append_audio(self, event: client.InputAudioAppend, now: float) -> None:
        audio = decoded(event.audio, self.audio_format.bytes_per_sample)
        if self.mouth.plays_fixture:
            return
        for fact in self.hearing.append(audio, self.mouth.position_ms):
            if isinstance(fact, SpeechBegan):
                self.mouth.stop(self._late_frames)
            else:
                self._turn_ended(self.hearing.turn_ended(fact.segment), now)

    def _turn_ended(self, recognition: Recognition, now: float) -> None:
        if self._scenario.ears:
            self._recognitions.append(recognition)
        else:
            self.transcript_ready(recognition.item_id, measured(recognition.speech_ms), now)

    def _mute(self, event: client.InputAudioMute, now: float) -> None:
        self.hearing.muted = event.type.endswith(".mute")
        self._acknowledge(f"{event.type}d", event)

    def _acknowledge(self, kind: str, event: Any, **fields: Any) -> None:
        if event.event_id is not None:
            fields["client_event_id"] = event.event_id
        self._outbox.emit(kind, **fields)

    def _append(self, event: client.Append, now: float) -> None:
        if self.mouth.plays_fixture:
            raise ClientError("fixture_active", "An audio fixture is being played.")
        kind = event.type.split(".")[1]
        if event.delegation_id is not None:
            self.work.answered(event.delegation_id, event.content)
        self.told.append((kind, event.content, event.delegation_id))
        at_ms = self.mouth.position_ms
        self._acknowledge(f"{event.type}ed", event, start_ms=at_ms, end_ms=at_ms)
        if kind == "commentary":
            self._perform(self._stimulus_of(event), event.content, now)
        elif kind == "thinking" and event.delegation_id is None:
            self._unanswered.append(event.content)

    def _stimulus_of(self, event: client.Append) -> Stimulus:
        """Return what speech that is asked for answers: work, typed words, or nothing yet."""
        turn = self._turns
        if event.delegation_id is not None:
            return Stimulus("tool", turn, event.content, "delegate")
        if self._unanswered:
            text = " ".join(self._unanswered)
            self._unanswered.clear()
            self._memory.append(("user", text))
            return Stimulus("text", self._turns, text)
        fresh = not (self._memory or self.mouth.speaking)
        return Stimulus("greeting" if fresh else "nudge", turn)

    def _perform(self, stimulus: Stimulus, instructions: str, now: float) -> None:
        cue = self._script.cue(stimulus, instructions)
        self._arm(cue.faults, now)
        if cue.faults.error is not None:
            error = cue.faults.error
            self._refuse(ClientError(error.code, error.message, None, error.type), None)
            return
        self._speak(cue, stimulus, now)
        if cue.call:
            self.work.delegate(cue.call, self.mouth.position_ms)

    def _speak(self, cue: Cue, stimulus: Stimulus, now: float) -> None:
        echo = self.hearing.echo(stimulus.text) if "echo" in cue.say else None
        utterance = self._voice.say(cue.say, echo, self.audio_format, FRAME_MS)
        if utterance is not None:
            first_ms = cue.faults.first_delta_ms
            delay_ms = self._scenario.pace.first_delta_ms if first_ms is None else first_ms
            self.mouth.say(utterance, now + (delay_ms + cue.delay_ms) / 1000)

    def _play(self, event: client.FixturePlay, now: float) -> None:
        if self.mouth.plays_fixture:
            raise ClientError("fixture_active", "An audio fixture is being played already.")
        pcm16 = decoded(event.audio, 2)
        if not 0 < L16_24K.duration_ms(len(pcm16)) <= _MAX_FIXTURE_MS:
            raise ClientError("invalid_value", "A fixture lasts 30 seconds at most.", "audio")
        self.fixtures.append(pcm16)
        self._acknowledge("session.output_audio.fixture.playing", event)
        self.mouth.play(pcm16, event.event_id)

    # A backend's outputs

    def _take_item(self, event: client.ResponseItemCreate, now: float) -> None:
        self.work.take_item(event.item)

    def _go_on(self, event: client.ResponseCreate, now: float) -> None:
        tool = self.work.go_on()
        if tool is not None:
            self._perform(Stimulus("tool", self._turns, tool=tool), "", now)

    # Faults

    def _refuse(self, error: ClientError, event_id: str | None) -> None:
        details: Wire = {"type": error.kind, "code": error.code, "message": str(error)}
        optional = {"param": error.param, "client_event_id": event_id}
        details |= {name: value for name, value in optional.items() if value is not None}
        self._outbox.emit("error", error=details)

    def _after(self, delay_ms: float | None, action: Callable[[float], None], now: float) -> None:
        if delay_ms is not None:
            self._timers[action] = now + delay_ms / 1000

    def _arm(self, faults: TurnFaults, now: float) -> None:
        self._after(faults.drop_after_ms, self._drop, now)
        self._after(faults.stall_after_ms, self._stall, now)
        self._outbox.duplicating = faults.duplicate_events
        self._late_frames = faults.late_deltas
        for _ in range(faults.garbage_frames):
            self._outbox.write_raw('{"type":"session.output_audio.delta"')

    def _drop(self, now: float) -> None:
        self.ending = Ending(self._faults.close_code)

    def _stall(self, now: float) -> None:
        self._stalled = True

    def _stop_reading(self, now: float) -> None:
        self.reading = False


_Command = Callable[[LiveSession, Any, float], None]
_COMMANDS: dict[type, _Command] = {
    client.SessionStart: cast(_Command, LiveSession._start),
    client.SessionUpdate: LiveSession._update,
    client.SessionClose: LiveSession._close,
    client.InputAudioAppend: LiveSession._append_audio,
    client.InputAudioMute: LiveSession._mute,
    client.Append: LiveSession._append,
    client.FixturePlay: LiveSession._play,
    client.ResponseItemCreate: LiveSession._take_item,
    client.ResponseCreate: LiveSession._go_on,
}
