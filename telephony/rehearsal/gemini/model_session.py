"""One session of the rehearsal model: Gemini Live without a socket or a clock.

Feed :meth:`GeminiSession.receive_message` and :meth:`~GeminiSession.handle_timer`; after each call
drain :meth:`~GeminiSession.messages_to_send` and :meth:`~GeminiSession.recognitions_to_do`, look
at ``ending`` and ``reading``, and set a timer for :meth:`~GeminiSession.next_timer`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from telephony.base.ids import Ids
from telephony.realtime.gemini_config import EXTENDED_THINKING
from telephony.rehearsal.faults import ConnectionFaults, ErrorFault
from telephony.rehearsal.gemini import client_messages as client
from telephony.rehearsal.gemini.fate import Fate
from telephony.rehearsal.gemini.grants import Handles
from telephony.rehearsal.gemini.hearing import Hearing
from telephony.rehearsal.gemini.model_turn import ModelTurn, Stage
from telephony.rehearsal.gemini.refusal import INTERNAL_ERROR, RefusedError, invalid
from telephony.rehearsal.gemini.said import Conversation, Said
from telephony.rehearsal.gemini.setup_fields import Setup, blocking_tools, read, read_setup
from telephony.rehearsal.listening import Recognition
from telephony.rehearsal.model_session import Ending, measured
from telephony.rehearsal.outbox import Wire
from telephony.rehearsal.scenario import Scenario
from telephony.rehearsal.script import Script, Stimulus
from telephony.rehearsal.utterance import Voice


@dataclass(frozen=True, slots=True)
class Place:
    """Where the client connected: the API's version, or Vertex AI.

    ``admit`` sees the setup before it is taken and may change it or raise RefusedError.
    """

    version: str = "v1"
    vertex: bool = False
    admit: Callable[[Wire], Wire] | None = None


@dataclass(slots=True)
class SessionStats:
    messages: int = 0
    late_outputs: int = 0
    """Outputs of tools for calls that had been cancelled."""
    interruptions: int = 0


class GeminiSession:
    """The server's side of one connection. ``conversation`` is what the model believes."""

    def __init__(
        self,
        scenario: Scenario,
        voice: Voice,
        ids: Ids,
        handles: Handles,
        place: Place,
        now: float,
        faults: ConnectionFaults | None = None,
    ) -> None:
        self.id = ids.token(8)
        self.setup: Setup | None = None
        self.conversation = Conversation()
        self.hearing = Hearing()
        self.stats = SessionStats()
        self.resumed = False
        self._scenario = scenario
        self._voice = voice
        self._ids = ids
        self._handles = handles
        self._place = place
        self._faults = scenario.faults if faults is None else faults
        self._script = Script(scenario, voice.prompts)
        self._messages: list[str] = []
        self._stage: Stage
        self._turn: ModelTurn | None = None
        self._queue: list[tuple[Stimulus, str]] = []
        self._recognitions: list[Recognition] = []
        self._unrecognised: dict[str, Said] = {}
        self._running: dict[str, str] = {}
        self._cancelled: set[str] = set()
        self._seeding = False
        self._duplicating = False
        self._fate = Fate(scenario.max_session_s, self._faults, self._emit, now)

    @property
    def ending(self) -> Ending | None:
        """How the connection ends, once it does."""
        return self._fate.ending

    @property
    def reading(self) -> bool:
        return self._fate.reading

    # What goes in

    def receive_message(self, message: str | bytes, now: float) -> None:
        """Take one message of the client; whatever is wrong with it ends the connection."""
        if self.ending is not None:
            return
        self.stats.messages += 1
        try:
            kind, content = client.read_message(message)
            if (kind == "setup") != (self.setup is None):
                invalid("setup must be the first message, and there can be only one.")
            _READERS[kind](self, content, now)
        except RefusedError as refused:
            self._fate.end(Ending(refused.close_code, str(refused)))

    def transcript_ready(self, item_id: str, text: str, now: float) -> None:
        """Take the ears' answer to a :class:`Recognition`; late and repeated ones do nothing."""
        entry = self._unrecognised.pop(item_id, None)
        if entry is None or self.setup is None:
            return
        entry.text = text
        if self.setup.input_audio_transcription is not None:
            # In pieces, and without a word about which is the last.
            head, gap, tail = text.partition(" ")
            for piece in filter(None, (head, gap + tail)):
                self._emit({"serverContent": {"inputTranscription": {"text": piece}}})
        self._respond(Stimulus("speech", self.conversation.turns, text), "", now)

    def connection_lost(self) -> None:
        """Keep what was said, but not its sound."""
        self._fate.end(Ending(None))
        self.hearing.forget_audio()

    # What comes out

    def messages_to_send(self) -> list[str]:
        """Return the messages to send; none any more once the fault "stall" has struck."""
        messages, self._messages = self._messages, []
        return [] if self._fate.stalled else messages

    def recognitions_to_do(self) -> list[Recognition]:
        """Return turns to recognise; answer each with :meth:`transcript_ready`."""
        work, self._recognitions = self._recognitions, []
        return work

    def next_timer(self) -> float | None:
        if self.ending is not None:
            return None
        turn_due = self._turn.due_at if self._turn is not None else None
        due = [self._fate.next_timer(), turn_due]
        return min((at for at in due if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        self._fate.handle_timer(now)
        turn = self._turn
        if self.ending is None and turn is not None:
            known = len(turn.made)
            turn.advance(now)
            if len(turn.made) > known:
                self._running.update(turn.made)
            self._settle(now)

    def _emit(self, message: Wire) -> None:
        text = json.dumps(message, separators=(",", ":"))
        self._messages += [text] * (2 if self._duplicating else 1)

    # The setup

    def _read_setup(self, content: Any, now: float) -> None:
        wanted = content if isinstance(content, dict) else {}
        if self._place.admit is not None:
            wanted = self._place.admit(wanted)
        setup = read_setup(wanted, self._place.version, vertex=self._place.vertex)
        resumption = setup.session_resumption
        if resumption is not None and resumption.handle:
            self.conversation = self._handles.resume(resumption.handle, now)
            self.resumed = True
        if self._faults.error is not None:
            error = self._faults.error
            raise RefusedError(self._faults.close_code or INTERNAL_ERROR, _reason(error))
        self._seeding = setup.seeds_history
        self.setup = setup
        self._configure(setup)
        self._emit({"setupComplete": {"sessionId": self.id}})
        self._offer_handle(now)

    def _configure(self, setup: Setup) -> None:
        self.hearing.configure(setup.detection(vertex=self._place.vertex))
        self._stage = Stage(
            self._emit,
            self.conversation,
            self._voice,
            self._scenario.pace,
            self._ids,
            blocking_tools(setup.tools, is_3_8=setup.is_3_8),
            transcribes=setup.output_audio_transcription is not None,
            reports_status=setup.short == EXTENDED_THINKING,
        )

    def _offer_handle(self, now: float) -> None:
        """Tell the client how to go on from here; not while something is under way."""
        assert self.setup is not None
        if self.setup.session_resumption is None:
            return
        update: Wire = {"resumable": False}
        if self._turn is None and not self._running:
            update = {"newHandle": self._handles.keep(self.conversation, now), "resumable": True}
        self._emit({"sessionResumptionUpdate": update})

    # The caller

    def _realtime_input(self, content: Any, now: float) -> None:
        given = read(client.RealtimeInput, content, "realtimeInput")
        if given.audio is not None or given.media_chunks:
            for blob in [given.audio] if given.audio is not None else given.media_chunks or []:
                self._hear(*client.decode_blob(blob), now)
        elif given.text is not None:
            self._written(given.text, now)
        elif given.activity_start is not None:
            self.hearing.begin_activity()
            self._caller_began(now)
        elif given.activity_end is not None:
            self._caller_ended(self.hearing.end_activity(), now)

    def _hear(self, pcm16: bytes, rate_hz: int, now: float) -> None:
        for began, recognition in self.hearing.hear(pcm16, rate_hz):
            if began:
                self._signal("ACTIVITY_START")
                self._caller_began(now)
            elif recognition is not None:
                self._signal("ACTIVITY_END")
                self._caller_ended(recognition, now)

    def _signal(self, kind: str) -> None:
        if self.setup is not None and self.setup.explicit_vad_signal:
            offset = f"{self.hearing.received_ms / 1000:.3f}s"
            self._emit({"voiceActivity": {"voiceActivityType": kind, "audioOffset": offset}})

    def _caller_began(self, now: float) -> None:
        if self.setup is not None and self.setup.interrupts:
            self._interrupt(now)

    def _caller_ended(self, recognition: Recognition, now: float) -> None:
        entry = Said("user", "speech", audio_ms=recognition.speech_ms)
        self.conversation.add(entry)
        self._unrecognised[recognition.item_id] = entry
        if self._scenario.ears:
            self._recognitions.append(recognition)
        else:
            self.transcript_ready(recognition.item_id, measured(recognition.speech_ms), now)

    def _written(self, text: str, now: float) -> None:
        stimulus = self._stimulus_of(text)
        kind: Literal["prompt", "text"] = "prompt" if stimulus.occasion == "greeting" else "text"
        self.conversation.add(Said("user", kind, text))
        self._caller_began(now)
        self._respond(stimulus, text, now)

    def _stimulus_of(self, text: str) -> Stimulus:
        """Return what a text is: the first words of all are what makes a model greet."""
        if not len(self.conversation):
            return Stimulus("greeting")
        return Stimulus("text", self.conversation.turns + 1, text)

    def _client_content(self, content: Any, now: float) -> None:
        given = read(client.ClientContent, content, "clientContent")
        last = given.turns[-1].text if given.turns else ""
        stimulus = self._stimulus_of(last) if last else Stimulus("nudge")
        greets = stimulus.occasion == "greeting" and not self._seeding
        for turn in given.turns:
            if turn.role not in ("user", "model"):
                invalid("Please use a valid role: user, model.")
            role: Literal["user", "model"] = "user" if turn.role == "user" else "model"
            prompts = greets and role == "user"
            self.conversation.add(Said(role, "prompt" if prompts else "text", turn.text))
        if self._seeding:
            self._seeding = not given.turn_complete
            return
        if given.turn_complete:
            self._interrupt(now)
            self._respond(stimulus, last, now)
        elif self.setup is not None and not self.setup.is_3_8:
            self._interrupt(now)

    # Functions

    def _tool_response(self, content: Any, now: float) -> None:
        given = read(client.ToolResponse, content, "toolResponse")
        for response in given.function_responses:
            self._take_output(response, now)

    def _take_output(self, response: client.FunctionResponse, now: float) -> None:
        if response.id in self._cancelled:
            self.stats.late_outputs += 1
            return
        waiting = self._turn.waiting if self._turn is not None else {}
        name = waiting.get(response.id) or self._running.get(response.id)
        if name is None:
            invalid(f"There is no function call with id {response.id!r}.")
        entry = Said("user", "result", response.text, name=name, call_id=response.id)
        self.conversation.add(entry)
        stimulus = Stimulus("tool", self.conversation.turns, response.text, name)
        if self._turn is not None and waiting.pop(response.id, None) is not None:
            if not waiting:
                self._perform(self._turn, stimulus, "", now)
            return
        del self._running[response.id]
        if response.scheduling == "SILENT":
            self._offer_handle(now)
            return
        if response.scheduling == "INTERRUPT":
            self._interrupt(now)
        self._respond(stimulus, "", now)

    def _context_update(self, content: Any, now: float) -> None:
        given = read(client.ContextUpdate, content, "contextUpdate")
        assert self.setup is not None
        if not self.setup.is_3_8:
            invalid("contextUpdate is not supported for this model.")
        changes: dict[str, Any] = {}
        if given.system_instruction is not None:
            changes["system_instruction"] = given.system_instruction
        if given.tools is not None:
            changes["tools"] = given.tools.tools
        self.setup = self.setup.model_copy(update=changes)
        self._configure(self.setup)

    # The model

    def _interrupt(self, now: float) -> None:
        turn = self._turn
        if turn is None:
            return
        self.stats.interruptions += 1
        running = [call_id for call_id in turn.made if self._running.pop(call_id, None)]
        cancelled = [*turn.waiting, *running]
        self._cancelled.update(cancelled)
        turn.interrupt(cancelled, now)
        self._queue.clear()
        self._settle(now)

    def _respond(self, stimulus: Stimulus, instructions: str, now: float) -> None:
        """Answer now, or when the turn that is under way is complete."""
        if self._turn is not None:
            self._queue.append((stimulus, instructions))
            return
        self._turn = ModelTurn(self._stage, self.conversation.tokens())
        self._offer_handle(now)
        self._perform(self._turn, stimulus, instructions, now)

    def _perform(self, turn: ModelTurn, stimulus: Stimulus, instructions: str, now: float) -> None:
        cue = self._script.cue(stimulus, instructions)
        faults = cue.faults
        if faults.error is not None:
            self._fate.end(Ending(INTERNAL_ERROR, _reason(faults.error)))
            return
        self._duplicating = faults.duplicate_events
        self._messages += ['{"serverContent":{"modelTurn":'] * faults.garbage_frames
        echo = self.hearing.echo(stimulus.text) if "echo" in cue.say else None
        turn.perform(cue, echo, now)
        self._fate.arm(faults, now)

    def _settle(self, now: float) -> None:
        """Take note of the end of a turn, and begin the next one that waits."""
        turn = self._turn
        if turn is None:
            return
        if not turn.over:
            return
        self._turn = None
        self._duplicating = False
        self._offer_handle(now)
        if self._queue:
            self._respond(*self._queue.pop(0), now)


def _reason(error: ErrorFault) -> str:
    return f"{error.code}: {error.message}"


_READERS: dict[str, Callable[[GeminiSession, Any, float], None]] = {
    "setup": GeminiSession._read_setup,
    "realtimeInput": GeminiSession._realtime_input,
    "clientContent": GeminiSession._client_content,
    "toolResponse": GeminiSession._tool_response,
    "contextUpdate": GeminiSession._context_update,
}
