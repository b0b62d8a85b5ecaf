"""OpenAI's SDK as a client whose every frame is held to the SDK's own types."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from openai.resources.realtime.realtime import AsyncRealtimeConnection

from tests.rehearsal.driver import FORMATS, SERVER_EVENT, phrase


class Sdk:
    """A connection of the SDK whose raw frames are validated before they are parsed."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.events: list[Any] = []

    async def receive(self) -> Any:
        raw = json.loads(await asyncio.wait_for(self.connection.recv_bytes(), 60))
        event = SERVER_EVENT.validate_python(raw)
        self.events.append(event)
        return event

    async def until(self, kind: str, **wanted: Any) -> Any:
        while True:
            event = await self.receive()
            if event.type == kind and all(getattr(event, k) == v for k, v in wanted.items()):
                return event

    async def setup(self, audio: str = "audio/pcmu", **session: Any) -> None:
        form = {"type": audio}
        transcription = {"model": "gpt-transcribe"}
        await self.connection.session.update(
            session={
                "type": "realtime",
                "output_modalities": ["audio"],
                "instructions": "You are a rehearsal.",
                "audio": {
                    "input": {"format": form, "transcription": transcription},
                    "output": {"format": form, "voice": "marin"},
                },
                **session,
            }
        )
        await self.until("session.updated")

    async def speak(self, name: str, audio: str = "audio/pcmu") -> None:
        data = phrase(name, FORMATS[audio])
        size = FORMATS[audio].frame_bytes(60)
        for at in range(0, len(data), size):
            chunk = base64.b64encode(data[at : at + size]).decode()
            await self.connection.input_audio_buffer.append(audio=chunk)
