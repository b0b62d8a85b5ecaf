"""OpenAI's ``/v1/realtime?intent=transcription``, as far as a caller can tell."""

from __future__ import annotations

import binascii
from typing import Any

from telephony.audio.format import L16_8K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.realtime.wire import object_of, text_of
from telephony.rehearsal.input_buffer import InputBuffer
from telephony.rehearsal.speech.far_end import FarEnd, SpeechHost, parsed

_KIND = "conversation.item.input_audio_transcription"
_FORMATS = {"audio/pcm": L16_24K, "audio/pcmu": PCMU, "audio/pcma": PCMA}
_MIN_COMMIT_MS = 100.0
_NO_VAD = ("gpt-live-transcribe", "gpt-realtime-whisper")


class TranscriptionEnd:
    """One session; the client commits."""

    def __init__(self, far_end: FarEnd, host: SpeechHost) -> None:
        self._far_end = far_end
        self._host = host
        self._events = 0
        self._session: dict[str, Any] = {
            "id": f"sess_{host.ids.token(10)}",
            "object": "realtime.transcription_session",
            "type": "transcription",
            "expires_at": 0,
            "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}},
        }
        self._format: AudioFormat = L16_24K
        self._buffer = InputBuffer(self._format, None)
        self._previous: str | None = None

    async def run(self) -> None:
        await self._send("session.created", session=self._session)
        while (message := await self._far_end.receive()) is not None:
            told = parsed(message)
            if told is None:
                await self._refuse("invalid_json", "this is no JSON object")
                continue
            kind = told.get("type")
            if kind == "session.update":
                await self._update(told.get("session"))
            elif kind == "input_audio_buffer.append":
                await self._append(told.get("audio"))
            elif kind == "input_audio_buffer.commit":
                await self._commit()
            elif kind == "input_audio_buffer.clear":
                self._buffer.clear()
                await self._send("input_audio_buffer.cleared")
            else:
                await self._refuse("invalid_value", f"there is no event {kind!r} here")

    async def _update(self, session: Any) -> None:
        if not isinstance(session, dict) or session.get("type") != "transcription":
            await self._refuse("invalid_value", "session.type must be transcription")
            return
        given = object_of(object_of(session, "audio"), "input")
        model = text_of(object_of(given, "transcription"), "model")
        if given.get("turn_detection") and model in _NO_VAD:
            await self._refuse("invalid_value", "this model needs turn_detection null")
            return
        form = text_of(object_of(given, "format") or {"type": "audio/pcm"}, "type")
        if form not in _FORMATS:
            await self._refuse("invalid_value", f"there is no format {form!r}")
            return
        self._format = _FORMATS[form]
        self._buffer.configure(self._format, None)
        self._session["audio"]["input"].update(given)
        await self._send("session.updated", session=self._session)

    async def _append(self, audio: Any) -> None:
        try:
            self._buffer.append(binascii.a2b_base64(str(audio), strict_mode=True))
        except ValueError:
            await self._refuse("invalid_value", "'audio' is not base64")

    async def _commit(self) -> None:
        if self._buffer.kept_ms < _MIN_COMMIT_MS:
            reason = "buffer too small: expected at least 100ms of audio"
            await self._refuse("input_audio_buffer_commit_empty", reason)
            return
        segment = self._buffer.commit()
        item_id = f"item_{self._host.ids.token(10)}"
        previous, self._previous = self._previous, item_id
        await self._send("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
        text = await self._host.recognise(segment.pcm16(L16_8K))
        place = {"item_id": item_id, "content_index": 0}
        if error := self._far_end.take_error():
            details = {"type": "server_error", "code": error, "message": "as the scenario asked"}
            await self._send(f"{_KIND}.failed", **place, error=details)
            return
        if text:
            self._host.heard(text)
            first, _, rest = text.partition(" ")
            await self._send(f"{_KIND}.delta", **place, delta=first)
            if rest:
                await self._send(f"{_KIND}.delta", **place, delta=f" {rest}")
        usage = {"type": "duration", "seconds": round(segment.duration_ms / 1000, 3)}
        await self._send(f"{_KIND}.completed", **place, transcript=text, usage=usage)

    async def _refuse(self, code: str, message: str) -> None:
        error = {
            "type": "invalid_request_error",
            "code": code,
            "message": message,
            "param": None,
            "event_id": None,
        }
        await self._send("error", error=error)

    async def _send(self, kind: str, **fields: Any) -> None:
        self._events += 1
        await self._far_end.send({"type": kind, "event_id": f"event_{self._events:06d}", **fields})
