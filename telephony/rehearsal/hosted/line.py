"""A caller's line at the provider: a rehearsal session that hears and is heard without us.

The session is the same that answers WebSockets; what differs is that its audio stays here. The
server plays what the model says in real time, knows what was heard, and cuts it off when the
caller speaks.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from typing import Any, Final

from telephony.audio.format import PCMU
from telephony.rehearsal.client_events import strictly
from telephony.rehearsal.listening import Recognition
from telephony.rehearsal.model_session import ModelSession
from telephony.rehearsal.outbox import ClientError
from telephony.rehearsal.scenario import ToolCall
from telephony.rehearsal.script import Cue
from telephony.rehearsal.session_fields import SessionFields
from telephony.rehearsal.settings import response_settings

FRAME_MS: Final = 20
_PCMU_FORMAT: Final = {"type": "audio/pcmu"}
_NOT_FOR_CLIENTS: Final = frozenset(
    {"input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear"}
)


class HostedLine:
    """Drain :meth:`messages_to_send` and :meth:`recognitions_to_do` after every other method, and
    call :meth:`handle_timer` at :meth:`next_timer`.

    ``speed`` is that of playout: callers of tests listen faster than people. Raises ClientError
    when ``session``, the body of an accept, is no good.
    """

    def __init__(
        self, model: ModelSession, session: dict[str, Any], now: float, speed: float = 1.0
    ) -> None:
        fields = strictly(SessionFields, session)
        self.model = model
        model.settings.update(fields)
        audio = model.settings.wire["audio"]
        audio["input"]["format"] = audio["output"]["format"] = dict(_PCMU_FORMAT)
        model.listener.configure()
        model.messages_to_send()
        self.played_ms = 0.0
        """What the caller heard of the model in all."""
        self._extra: list[str] = []
        self._playing = _Playing()
        self._speed = speed
        self._now = now

    @property
    def playing(self) -> bool:
        return bool(self._playing.response_id)

    @property
    def playing_all(self) -> bool:
        """Whether something is played of which all was generated."""
        return self.playing and self._playing.complete

    # The caller

    def hear(self, pcmu: bytes, now: float) -> None:
        """Take audio of the caller; time has no holes."""
        audio = b2a_base64(pcmu, newline=False).decode()
        self.model.receive_message(
            json.dumps({"type": "input_audio_buffer.append", "audio": audio}), now
        )
        self._now = now

    def press(self, digit: str, unix_time_s: int) -> None:
        """The caller presses a key; the event has no id."""
        event = {
            "type": "input_audio_buffer.dtmf_event_received",
            "event": digit,
            "received_at": unix_time_s,
        }
        self._extra.append(json.dumps(event))

    def call_tool(self, name: str, arguments: dict[str, Any], now: float) -> None:
        """Let the model call a tool, beside what its scenario says.

        Raises ClientError while a response is active.
        """
        settings = response_settings(self.model.settings, None)
        run = self.model.speaker.start(settings, None)
        run.perform(Cue(call=(ToolCall(name=name, arguments=arguments),)), None, now)

    # The sideband

    def attached(self) -> str:
        """Return what a new sideband is told first."""
        event = {"type": "session.created", "event_id": "event_attached"}
        return json.dumps({**event, "session": self.model.settings.wire})

    def receive(self, message: str | bytes, now: float) -> None:
        """Take one event of a sideband."""
        self._now = now
        kind = _kind_of(message)
        if kind in _NOT_FOR_CLIENTS:
            error = ClientError("invalid_event", f"{kind} is not for calls over SIP.", "type")
            self._refuse(error)
        elif kind == "output_audio_buffer.clear":
            self._cut_off(now)
        else:
            self.model.receive_message(message, now)

    def _refuse(self, error: ClientError) -> None:
        details = {"type": error.kind, "code": error.code, "message": str(error)}
        event = {"type": "error", "event_id": "event_refused"}
        fields = {"param": error.param, "event_id": None}
        self._extra.append(json.dumps({**event, "error": {**details, **fields}}))

    # Time

    def next_timer(self) -> float | None:
        due = [self.model.next_timer(), self._playing.ends_at if self._playing.complete else None]
        return min((at for at in due if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        self._now = now
        self.model.handle_timer(now)
        playing = self._playing
        if playing.complete and playing.ends_at <= now:
            self.played_ms += playing.received_ms
            self._tell("output_audio_buffer.stopped", playing.response_id)
            self._playing = _Playing()

    def recognised(self, recognition: Recognition, text: str, now: float) -> None:
        self._now = now
        self.model.transcript_ready(recognition.item_id, text, now)

    # Output

    def recognitions_to_do(self) -> list[Recognition]:
        return self.model.recognitions_to_do()

    def messages_to_send(self) -> list[str]:
        """Return the events for the sidebands, in order; audio is played instead."""
        out: list[str] = []
        while messages := self.model.messages_to_send():
            for message in messages:
                self._pass_on(message, out)
        out += self._extra
        self._extra = []
        return out

    def _pass_on(self, message: str, out: list[str]) -> None:
        try:
            event = json.loads(message)
        except ValueError:
            out.append(message)
            return
        kind = event.get("type")
        if kind == "response.output_audio.delta":
            self._play(event)
            out += self._taken()
            return
        out.append(message)
        if kind == "input_audio_buffer.speech_started" and self._interrupts:
            self._cut_off(self._now)
        elif kind == "response.done" and event["response"]["id"] == self._playing.response_id:
            self._playing.complete = True
            if event["response"]["status"] == "cancelled":
                self._cut_off(self._now)
        out += self._taken()

    def _taken(self) -> list[str]:
        extra, self._extra = self._extra, []
        return extra

    @property
    def _interrupts(self) -> bool:
        detection = self.model.settings.turn_detection
        return detection is not None and detection.interrupt_response

    # Playout

    def _play(self, event: dict[str, Any]) -> None:
        response_id, item_id = event["response_id"], event["item_id"]
        playing = self._playing
        if playing.response_id != response_id:
            if playing.response_id:
                self._tell("output_audio_buffer.stopped", playing.response_id)
            playing = self._playing = _Playing(response_id, item_id, self._now)
            self._tell("output_audio_buffer.started", response_id)
        delta = event["delta"]
        playing.received_ms += PCMU.duration_ms(len(delta) * 3 // 4 - delta[-2:].count("="))
        playing.ends_at = playing.started_at + playing.received_ms / 1000 / self._speed

    def _cut_off(self, now: float) -> None:
        """Stop playing, and let the model know what was heard."""
        playing, self._playing = self._playing, _Playing()
        if not playing.response_id:
            return
        heard_ms = min((now - playing.started_at) * 1000 * self._speed, playing.received_ms)
        self.played_ms += heard_ms
        self._tell("output_audio_buffer.cleared", playing.response_id)
        truncate = {
            "type": "conversation.item.truncate",
            "item_id": playing.item_id,
            "content_index": 0,
            "audio_end_ms": max(0, int(heard_ms)),
        }
        self.model.receive_message(json.dumps(truncate), now)

    def _tell(self, kind: str, response_id: str) -> None:
        event = {"type": kind, "event_id": f"event_{kind}", "response_id": response_id}
        self._extra.append(json.dumps(event))


class _Playing:
    """What the caller hears now; without an id it is nothing."""

    __slots__ = ("complete", "ends_at", "item_id", "received_ms", "response_id", "started_at")

    def __init__(self, response_id: str = "", item_id: str = "", now: float = 0.0) -> None:
        self.response_id = response_id
        self.item_id = item_id
        self.started_at = self.ends_at = now
        self.received_ms = 0.0
        self.complete = False


def _kind_of(message: str | bytes) -> str:
    try:
        kind = json.loads(message)["type"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return kind if isinstance(kind, str) else ""
