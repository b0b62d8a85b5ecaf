"""ElevenLabs' ``stream-input`` and ``multi-stream-input``, as far as a caller can tell."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import Any

from multidict import MultiMapping

from telephony.audio.format import AudioFormat
from telephony.rehearsal.speech.far_end import FarEnd, SpeechHost, parsed, underscored_format
from telephony.rehearsal.speech.spoken_text import SpokenText

MAX_CONTEXTS = 5
_SCHEDULE_CHARACTERS = 120
_CHUNK_MS = 250


def refusal(query: MultiMapping[str]) -> str:
    """Return why a request is refused, "" when it is not."""
    if underscored_format(query.get("output_format", "")) is None:
        return "the rehearsal makes ulaw_8000 and pcm_*: output_format is not supported"
    return ""


def _pieces(spoken: SpokenText, audio_format: AudioFormat) -> list[tuple[bytes, int, int, float]]:
    """Return chunks of audio, each with the characters that end in it and where it begins."""
    size = audio_format.frame_bytes(_CHUNK_MS)
    chunks: list[tuple[bytes, int, int, float]] = []
    first = 0
    for at in range(0, len(spoken.audio), size):
        chunk = spoken.audio[at : at + size]
        begun_ms = audio_format.duration_ms(at)
        end_ms = audio_format.duration_ms(at + len(chunk))
        is_last = at + size >= len(spoken.audio)
        last = first
        while last < len(spoken.text) and (is_last or spoken.ends_ms[last] <= end_ms):
            last += 1
        chunks.append((chunk, first, last, begun_ms))
        first = last
    return chunks


def _alignment(spoken: SpokenText, first: int, last: int, begun_ms: float) -> dict[str, Any]:
    starts: list[int] = []
    durations: list[int] = []
    for at in range(first, last):
        before_ms = spoken.ends_ms[at - 1] if at else 0.0
        start_ms = max(0.0, before_ms - begun_ms)
        starts.append(round(start_ms))
        durations.append(max(0, round(spoken.ends_ms[at] - begun_ms) - round(start_ms)))
    characters = list(spoken.text[first:last])
    return {"chars": characters, "charStartTimesMs": starts, "charDurationsMs": durations}


class _Output:
    """Speaks texts into messages."""

    def __init__(self, far_end: FarEnd, host: SpeechHost, query: MultiMapping[str]) -> None:
        self.far_end = far_end
        self._host = host
        audio_format = underscored_format(query.get("output_format", ""))
        assert audio_format is not None
        self._format = audio_format

    async def speak(self, text: str, more: dict[str, Any], stop: asyncio.Event) -> None:
        if not any(character.isalnum() for character in text):
            return
        self._host.said(text)
        spoken = self._host.mouth.say(text, self._format)
        for chunk, first, last, begun_ms in _pieces(spoken, self._format):
            if stop.is_set():
                return
            alignment = _alignment(spoken, first, last, begun_ms) if last > first else None
            await self.far_end.send(
                {
                    "audio": base64.b64encode(chunk).decode(),
                    "isFinal": None,
                    "alignment": alignment,
                    "normalizedAlignment": alignment,
                    **more,
                }
            )
            await asyncio.sleep(0)


class StreamInputEnd:
    """One text on one connection, which the empty text ends."""

    def __init__(self, far_end: FarEnd, host: SpeechHost, query: MultiMapping[str]) -> None:
        self._output = _Output(far_end, host, query)
        self._far_end = far_end

    async def run(self) -> None:
        buffer = ""
        begun = False
        never = asyncio.Event()
        while (message := await self._far_end.receive()) is not None:
            told = parsed(message)
            text = (told or {}).get("text")
            if told is None or not isinstance(text, str):
                await _refuse(self._far_end, "invalid_message", "text is missing")
                return
            if not begun:
                begun = True
                if text != " ":
                    await _refuse(self._far_end, "invalid_message", "the first text is a blank")
                    return
                continue
            if error := self._far_end.take_error():
                await _refuse(self._far_end, error, "as the scenario asked for")
                return
            buffer += text
            if not text or told.get("flush") or len(buffer) >= _SCHEDULE_CHARACTERS:
                spoken, buffer = buffer, ""
                await self._output.speak(spoken, {}, never)
            if not text:
                await self._far_end.send({"isFinal": True})
                await self._far_end.close()
                return


@dataclass(slots=True)
class _Context:
    texts: asyncio.Queue[str | None]
    task: asyncio.Task[None]
    buffer: str = ""
    closed: bool = False


class MultiStreamInputEnd:
    """Several contexts on one connection, each spoken by a task of its own."""

    def __init__(self, far_end: FarEnd, host: SpeechHost, query: MultiMapping[str]) -> None:
        self._output = _Output(far_end, host, query)
        self._far_end = far_end
        self._contexts: dict[str, _Context] = {}
        self._never = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while (message := await self._far_end.receive()) is not None:
                told = parsed(message)
                if told is None:
                    await _refuse(self._far_end, "invalid_message", "this is no JSON object")
                    break
                if told.get("close_socket"):
                    await self._far_end.close()
                    break
                if not await self._take(told, tasks):
                    break
            for context in self._contexts.values():
                context.task.cancel()

    async def _take(self, told: dict[str, Any], tasks: asyncio.TaskGroup) -> bool:
        """Do what a message says; False ends the connection."""
        name = str(told.get("context_id") or told.get("contextId") or "default")
        context = self._contexts.get(name)
        if told.get("close_context"):
            if context is not None and not context.closed:
                context.closed = True
                self._flush(context)
                context.texts.put_nowait(None)
            return True
        if error := self._far_end.take_error():
            await _refuse(self._far_end, error, "as the scenario asked for")
            return False
        if context is None:
            if len(self._contexts) >= MAX_CONTEXTS:
                message = f"Maximum simultaneous contexts exceeded ({MAX_CONTEXTS})."
                await _refuse(self._far_end, "max_active_conversations", message)
                return False
            texts: asyncio.Queue[str | None] = asyncio.Queue()
            context = _Context(texts, tasks.create_task(self._speak(name, texts)))
            self._contexts[name] = context
            if told.get("text") == " ":
                # The blank that opens a context is no text.
                return True
        context.buffer += told.get("text") or ""
        if told.get("flush") or len(context.buffer) >= _SCHEDULE_CHARACTERS:
            self._flush(context)
        return True

    def _flush(self, context: _Context) -> None:
        if context.buffer.strip():
            context.texts.put_nowait(context.buffer)
        context.buffer = ""

    async def _speak(self, name: str, texts: asyncio.Queue[str | None]) -> None:
        while (text := await texts.get()) is not None:
            await self._output.speak(text, {"contextId": name}, self._never)
        await self._far_end.send({"isFinal": True, "contextId": name})
        del self._contexts[name]


async def _refuse(far_end: FarEnd, error: str, message: str) -> None:
    await far_end.send({"message": message, "error": error, "code": 1008})
    await far_end.close(1008, message)
