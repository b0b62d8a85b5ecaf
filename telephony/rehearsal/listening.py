"""The model's hearing: appended audio to turns of the caller, with the events in between."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from telephony.audio.format import L16_8K, L16_24K
from telephony.base.ids import Ids
from telephony.rehearsal.conversation import Conversation, Item, Part
from telephony.rehearsal.input_buffer import InputBuffer, Segment, SpeechBegan
from telephony.rehearsal.outbox import ClientError, Outbox, Wire
from telephony.rehearsal.settings import SessionSettings
from telephony.rehearsal.usage import transcription_usage
from telephony.rehearsal.utterance import Clip

_LOGPROBS = "item.input_audio_transcription.logprobs"
_MIN_COMMIT_MS = 100.0
_MAX_APPEND_BYTES = 15 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Recognition:
    """Work for the ears: what does the caller say in ``pcm16`` (8 kHz, mono)?"""

    item_id: str
    pcm16: bytes
    speech_ms: float


@dataclass(slots=True)
class ListenerStats:
    appends: int = 0
    audio_bytes: int = 0
    turns: int = 0


class Listener:
    """Emits the events of the input buffer and adds the caller's items."""

    def __init__(
        self, outbox: Outbox, conversation: Conversation, settings: SessionSettings, ids: Ids
    ) -> None:
        self._outbox = outbox
        self._conversation = conversation
        self._settings = settings
        self._ids = ids
        self._buffer = InputBuffer(settings.input_format, settings.turn_detection)
        self._item_id = ""
        self.stats = ListenerStats()
        self.last_segment: Segment | None = None

    @property
    def received_ms(self) -> float:
        return self._buffer.received_ms

    @property
    def speaking(self) -> bool:
        return self._buffer.speaking

    def configure(self) -> None:
        """Follow the session's settings after an update."""
        self._buffer.configure(self._settings.input_format, self._settings.turn_detection)

    def append(self, audio_base64: object) -> Iterator[Item | None]:
        """Add audio and go through what happened in it: None for speech that began, the item
        for a turn that ended. Raise ClientError for anything but base64.

        A generator: the session reacts to each fact before the events of the next one.
        """
        audio = _decoded(audio_base64)
        self.stats.appends += 1
        self.stats.audio_bytes += len(audio)
        for fact in self._buffer.append(audio):
            if isinstance(fact, SpeechBegan):
                self._begin_turn(fact.start_ms)
                yield None
            else:
                self._outbox.emit(
                    "input_audio_buffer.speech_stopped",
                    audio_end_ms=round(fact.segment.end_ms),
                    item_id=self._item_id,
                )
                yield self._add_turn(fact.segment, self._item_id)

    def _begin_turn(self, start_ms: float) -> None:
        self._item_id = f"item_{self._ids.token(10)}"
        self._outbox.emit(
            "input_audio_buffer.speech_started",
            audio_start_ms=round(start_ms),
            item_id=self._item_id,
        )

    def commit(self) -> Item:
        """Make the buffered audio the caller's turn, at the client's command."""
        if self._buffer.kept_ms < _MIN_COMMIT_MS:
            raise ClientError(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms"
                f" of audio, but buffer only has {self._buffer.kept_ms:.2f}ms of audio.",
            )
        item_id = self._item_id if self._buffer.speaking else f"item_{self._ids.token(10)}"
        item = self._add_turn(self._buffer.commit(), item_id)
        self._item_id = f"item_{self._ids.token(10)}"
        return item

    def clear(self) -> None:
        self._buffer.clear()
        self._outbox.emit("input_audio_buffer.cleared")

    def forget_audio(self) -> None:
        self._buffer.clear()
        self.last_segment = None

    def idle(self, idle_ms: float) -> Item:
        """Commit the silence of the idle timeout that just fired."""
        item_id = f"item_{self._ids.token(10)}"
        end_ms = self.received_ms
        self._outbox.emit(
            "input_audio_buffer.timeout_triggered",
            audio_start_ms=round(max(0.0, end_ms - idle_ms)),
            audio_end_ms=round(end_ms),
            item_id=item_id,
        )
        return self._add_turn(self._buffer.commit(), item_id)

    def _add_turn(self, segment: Segment, item_id: str) -> Item:
        part = Part("input_audio", audio=segment.audio, audio_format=segment.audio_format)
        part.audio_ms = segment.duration_ms
        item = Item(item_id, role="user", content=[part])
        previous = self._conversation.add(item)
        self.last_segment = segment
        self.stats.turns += 1
        emit = self._outbox.emit
        emit("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
        wire = item.to_wire()
        emit("conversation.item.added", previous_item_id=previous, item=wire)
        emit("conversation.item.done", previous_item_id=previous, item=wire)
        return item

    def recognition(self, item: Item) -> Recognition:
        """Return the work of recognising the turn that was committed last."""
        assert self.last_segment is not None
        segment = self.last_segment
        return Recognition(item.id, segment.pcm16(L16_8K), segment.speech_ms)

    def transcribed(self, item: Item, text: str) -> None:
        """Keep what was recognised, and tell the client if it asked for transcription."""
        part = item.content[0]
        part.text = text
        if not self._settings.transcribes:
            return
        kind = "conversation.item.input_audio_transcription"
        place = {"item_id": item.id, "content_index": 0}
        if text:
            self._outbox.emit(f"{kind}.delta", **place, delta=text)
        model = self._settings.wire["audio"]["input"]["transcription"].get("model")
        usage = transcription_usage(model, part.audio_ms, text)
        fields = {**place, "transcript": text, "usage": usage}
        if _LOGPROBS in (self._settings.wire["include"] or ()):
            fields["logprobs"] = [_sure_of(word) for word in text.split()]
        self._outbox.emit(f"{kind}.completed", **fields)

    def echo(self, transcript: str) -> Clip | None:
        """Return the caller's last turn as something the model can say."""
        if self.last_segment is None:
            return None
        return Clip(transcript, self.last_segment.pcm16(L16_24K))


def _sure_of(word: str) -> Wire:
    return {"token": word, "bytes": list(word.encode()), "logprob": -0.01}


def _decoded(audio_base64: object) -> bytes:
    if not isinstance(audio_base64, str):
        raise ClientError("invalid_type", "'audio' must be a base64 string.", "audio")
    try:
        audio = binascii.a2b_base64(audio_base64.encode("ascii"), strict_mode=True)
    except ValueError as error:
        raise ClientError("invalid_value", f"'audio' is not base64: {error}", "audio") from None
    if len(audio) > _MAX_APPEND_BYTES:
        raise ClientError("invalid_value", "'audio' is larger than 15 MiB.", "audio")
    return audio
