"""ElevenLabs' ``/v1/speech-to-text/realtime``, as far as a caller can tell."""

from __future__ import annotations

import binascii
from typing import Any

from multidict import MultiMapping

from telephony.audio.format import AudioFormat
from telephony.rehearsal.input_buffer import SpeechEnded
from telephony.rehearsal.speech.far_end import FarEnd, SpeechHost, parsed, underscored_format
from telephony.rehearsal.speech.hearing import Hearing

_MODELS = ("scribe_v2_realtime", "scribe_v3_live")
_STRATEGIES = ("manual", "vad")
_MIN_COMMIT_MS = 300.0


def refusal(query: MultiMapping[str]) -> str:
    """Return why a request is refused, "" when it is not."""
    if query.get("model_id") not in _MODELS:
        return f"model_id must be one of {', '.join(_MODELS)}"
    if underscored_format(query.get("audio_format", "pcm_16000")) is None:
        return "audio_format is not supported"
    if query.get("commit_strategy", "manual") not in _STRATEGIES:
        return "commit_strategy must be manual or vad"
    return ""


class RealtimeListenEnd:
    """One session."""

    def __init__(self, far_end: FarEnd, host: SpeechHost, query: MultiMapping[str]) -> None:
        self._far_end = far_end
        self._host = host
        self._query = query
        audio_format = underscored_format(query.get("audio_format", "pcm_16000"))
        assert audio_format is not None
        self._format: AudioFormat = audio_format
        silence_s = float(query.get("vad_silence_threshold_secs", "0.5"))
        self._hearing = Hearing(audio_format, round(silence_s * 1000))
        self._vad = query.get("commit_strategy", "manual") == "vad"
        self._uncommitted_ms = 0.0

    async def run(self) -> None:
        config = {
            "sample_rate": self._format.sample_rate_hz,
            "audio_format": self._query.get("audio_format", "pcm_16000"),
            "language_code": self._query.get("language_code"),
            "model_id": self._query["model_id"],
            "vad_commit_strategy": self._vad,
        }
        session_id = self._host.ids.token(12)
        await self._send("session_started", session_id=session_id, config=config)
        while (message := await self._far_end.receive()) is not None:
            told = parsed(message)
            if told is None or told.get("message_type") != "input_audio_chunk":
                await self._send("input_error", error="expected an input_audio_chunk")
                await self._far_end.close(1008)
                return
            try:
                audio = binascii.a2b_base64(str(told.get("audio_base_64", "")))
            except ValueError:
                await self._send("input_error", error="audio_base_64 is not base64")
                continue
            await self._chunk(audio, commit=told.get("commit") is True)

    async def _chunk(self, audio: bytes, *, commit: bool) -> None:
        self._uncommitted_ms += self._format.duration_ms(len(audio))
        for fact in self._hearing.append(audio):
            if isinstance(fact, SpeechEnded) and self._vad:
                await self._commit()
        if not commit:
            return
        if self._uncommitted_ms < _MIN_COMMIT_MS:
            reason = f"only {self._uncommitted_ms:.0f} ms of audio are uncommitted"
            await self._send("commit_throttled", error=reason)
            return
        await self._commit()

    async def _commit(self) -> None:
        self._uncommitted_ms = 0.0
        turn = self._hearing.end_turn()
        text = "" if turn is None else await self._host.recognise(turn.pcm16())
        error = self._far_end.take_error()
        if error is not None:
            await self._send(error, error="as the scenario asked for")
            return
        if text:
            self._host.heard(text)
            await self._send("partial_transcript", text=text)
        await self._send("committed_transcript", text=text)
        if self._query.get("include_timestamps") == "true":
            words = [{"text": word, "type": "word"} for word in text.split()]
            kind = "committed_transcript_with_timestamps"
            await self._send(kind, text=text, words=words)

    async def _send(self, kind: str, **fields: Any) -> None:
        await self._far_end.send({"message_type": kind, **fields})
