"""Deepgram's ``/v2/speak``, as far as a caller can tell."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from multidict import MultiMapping

from telephony.audio.format import AudioFormat
from telephony.rehearsal.speech.far_end import FarEnd, SpeechHost, parsed

_CHUNK_MS = 100


def refusal(query: MultiMapping[str]) -> str:
    """Return why a request is refused, "" when it is not."""
    if not query.get("model", "").startswith("flux-"):
        return "model must be a Flux voice such as flux-alexis-en"
    return ""


@dataclass(slots=True)
class _Turn:
    speech_id: str
    text: str
    sent_ms: float = 0.0
    interrupted: bool = False


class SpeakEnd:
    """One session: turns are spoken one after the other, by a task of its own."""

    def __init__(
        self,
        far_end: FarEnd,
        host: SpeechHost,
        audio_format: AudioFormat,
        query: MultiMapping[str],
    ) -> None:
        self._far_end = far_end
        self._host = host
        self._format = audio_format
        self._model = query.get("model", "")
        self._text = ""
        self._turns: deque[_Turn] = deque()
        self._active: _Turn | None = None
        self._wake = asyncio.Event()
        self._total_ms = 0.0
        self._characters = 0

    async def run(self) -> None:
        await self._far_end.send(
            {
                "type": "Connected",
                "request_id": self._host.ids.token(16),
                "model_name": self._model,
                "model_version": "rehearsal",
                "model_uuids": [self._host.ids.token(16)],
            }
        )
        async with asyncio.TaskGroup() as tasks:
            speaking = tasks.create_task(self._speak_turns())
            try:
                await self._listen()
            finally:
                speaking.cancel()

    async def _listen(self) -> None:
        while (message := await self._far_end.receive()) is not None:
            told = parsed(message) or {}
            kind = told.get("type")
            if kind == "Speak" and isinstance(told.get("text"), str):
                self._text += told["text"]
            elif kind == "Flush":
                await self._flush()
            elif kind == "Interrupt":
                await self._interrupt()
            elif kind == "Close":
                await self._metadata()
                await self._far_end.close()
                return
            elif kind != "Configure":
                await self._error("MESSAGE-0000", "not understood")
                return

    async def _flush(self) -> None:
        text, self._text = self._text, ""
        if not text:
            await self._warn("NO_ACTIVE_SPEECH")
            return
        self._turns.append(_Turn(f"dg_sp_{self._host.ids.token(6)}", text))
        self._wake.set()

    async def _interrupt(self) -> None:
        turn = self._active
        if turn is None:
            await self._warn("NO_ACTIVE_SPEECH")
        elif not turn.sent_ms:
            await self._warn("NO_AUDIO_GENERATED")
        else:
            turn.interrupted = True

    async def _speak_turns(self) -> None:
        while True:
            while not self._turns:
                self._wake.clear()
                await self._wake.wait()
            self._active = self._turns.popleft()
            await self._speak(self._active)
            self._active = None

    async def _speak(self, turn: _Turn) -> None:
        error = self._far_end.take_error()
        if error is not None:
            await self._error(error, "as the scenario asked for")
            return
        await self._far_end.send({"type": "SpeechStarted", "speech_id": turn.speech_id})
        self._host.said(turn.text)
        spoken = self._host.mouth.say(turn.text, self._format)
        self._characters += len(turn.text)
        size = self._format.frame_bytes(_CHUNK_MS)
        for at in range(0, len(spoken.audio), size):
            chunk = spoken.audio[at : at + size]
            await self._far_end.send_audio(chunk)
            turn.sent_ms += self._format.duration_ms(len(chunk))
            await asyncio.sleep(0)
            if turn.interrupted:
                break
        self._total_ms += turn.sent_ms
        await self._finish(turn)

    async def _finish(self, turn: _Turn) -> None:
        counts: dict[str, Any] = {
            "speech_id": turn.speech_id,
            "audio_duration_ms": round(turn.sent_ms),
            "input_character_count": len(turn.text),
            "billable_character_count": len(turn.text),
            "controls_applied": {
                "pronunciations_applied": 0,
                "breaks_applied": 0,
                "pronunciation_warnings": 0,
            },
        }
        if turn.interrupted:
            played_ms = round(self._total_ms)
            await self._far_end.send(
                {"type": "SpeechInterrupted", "audio_played_ms": played_ms, "metadata": counts}
            )
            return
        await self._far_end.send({"type": "Flushed", "speech_id": turn.speech_id})
        await self._far_end.send({"type": "SpeechMetadata", **counts})

    async def _metadata(self) -> None:
        await self._far_end.send(
            {
                "type": "SessionMetadata",
                "total_audio_duration_ms": round(self._total_ms),
                "total_input_character_count": self._characters,
                "total_billable_character_count": self._characters,
            }
        )

    async def _warn(self, code: str) -> None:
        await self._far_end.send(
            {"type": "Warning", "code": code, "description": "as the rehearsal sees it"}
        )

    async def _error(self, code: str, description: str) -> None:
        await self._far_end.send({"type": "Error", "code": code, "description": description})
        await self._far_end.close(1011)
