"""One WebSocket of a rehearsal speech service, with the faults it was told to have."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

from aiohttp import WSMessage, WSMsgType, web

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.spoken_text import Mouth

MAX_MESSAGE_BYTES = 16 * 1024 * 1024


class SpeechHost(Protocol):
    """What a far end asks of the server that took its request."""

    mouth: Mouth
    ids: Ids

    async def recognise(self, pcm16: bytes) -> str: ...

    def heard(self, text: str) -> None: ...

    def said(self, text: str) -> None: ...


class Dropped(Exception):  # noqa: N818 - what the scenario asked for
    """The connection is to end without a word."""


class FarEnd:
    """Sends JSON and audio; counts messages for the faults."""

    def __init__(self, socket: web.WebSocketResponse, faults: FarEndFaults) -> None:
        self._socket = socket
        self._faults = faults
        self._sent = 0
        self.error = faults.error

    async def send(self, message: dict[str, Any]) -> None:
        await self._before_message()
        await self._socket.send_str(json.dumps(message))

    async def send_audio(self, audio: bytes) -> None:
        await self._before_message()
        await self._socket.send_bytes(audio)

    def take_error(self) -> str | None:
        """Return the error to report now, once."""
        error, self.error = self.error, None
        return error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._socket.close(code=code, message=reason.encode())

    async def receive(self) -> WSMessage | None:
        """Return the next message of text or audio, None at the end."""
        while True:
            message = await self._socket.receive()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                return message
            if message.type not in (WSMsgType.PING, WSMsgType.PONG):
                return None

    async def _before_message(self) -> None:
        faults = self._faults
        if faults.mute:
            await asyncio.Event().wait()
        if self._sent == 0:
            for number in range(faults.garbage):
                await self._socket.send_str(_GARBAGE[number % len(_GARBAGE)])
        if faults.drop_after_messages is not None and self._sent >= faults.drop_after_messages:
            raise Dropped
        if faults.slow_ms:
            await asyncio.sleep(faults.slow_ms / 1000)
        self._sent += 1


_GARBAGE = ("{", "[1, 2]", '{"type": 7, "message_type": []}', '{"type": "no such thing"}', "null")


def format_of(encoding: str, sample_rate_hz: str) -> AudioFormat | None:
    """Return the format a query asks for in Deepgram's words, None for one unknown here."""
    kinds = {"mulaw": "pcmu", "alaw": "pcma", "linear16": "l16"}
    kind = kinds.get(encoding)
    if kind is None or not sample_rate_hz.isdigit() or int(sample_rate_hz) not in RATES_HZ:
        return None
    return AudioFormat(kind, int(sample_rate_hz))  # type: ignore[arg-type]


RATES_HZ = (8000, 16000, 22050, 24000, 44100, 48000)


def underscored_format(name: str) -> AudioFormat | None:
    """Return the format of ``ulaw_8000`` or ``pcm_16000``."""
    kind, _, rate = name.partition("_")
    return format_of({"ulaw": "mulaw", "pcm": "linear16"}.get(kind, ""), rate.split("_")[0])


def parsed(message: WSMessage) -> dict[str, Any] | None:
    """Return the JSON object of a text message."""
    if message.type is not WSMsgType.TEXT:
        return None
    try:
        value = json.loads(message.data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
