"""OpenAI Realtime for a bench: it answers a marked frame with speech, all of it at once.

It hears G.711 that the bot hands over untouched; deltas are encoded once. The variants that keep
the names of the beta (Azure Voice Live) get those.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from websockets.http11 import Request

from telephony.audio.format import PCMU
from tests.bench.marks import MARK, Mark, NumberMark, mark_frame, marked_number
from tests.bench.mocks.wire import MockConnection, MockServer

__all__ = ["MARK", "MockModel", "mark_frame", "marked_number"]

DELTA_MS = 200
_APPEND = b'{"type":"input_audio_buffer.append","audio":"'
_SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_mock",
    "model": "mock",
    "output_modalities": ["audio"],
    "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "turn_detection": None},
        "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"},
    },
}
_BETA_SESSION = {
    "object": "realtime.session",
    "id": "sess_mock",
    "model": "mock",
    "modalities": ["text", "audio"],
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "g711_ulaw",
    "turn_detection": None,
}


class MockModel(MockServer):
    """The server. ``lifetime_s``: each session says that it ends so long after its start."""

    def __init__(
        self,
        speech: bytes,
        mark: Mark | None = None,
        answered: dict[int, float] | None = None,
        *,
        beta: bool = False,
        lifetime_s: float | None = None,
    ) -> None:
        super().__init__(speech, mark or NumberMark(), answered)
        self.appends = 0
        self.beta = beta
        self.lifetime_s = lifetime_s

    def make_connection(self) -> RealtimeConnection:
        return RealtimeConnection(self)

    def session(self) -> dict[str, Any]:
        session = _BETA_SESSION if self.beta else _SESSION
        if self.lifetime_s is None:
            return session
        return {**session, "expires_at": time.time() + self.lifetime_s}


class RealtimeConnection(MockConnection):
    """One session."""

    server: MockModel

    def __init__(self, server: MockModel) -> None:
        super().__init__(server)
        self._responses = 0

    def opened(self, request: Request) -> None:
        self._session = self.server.session()
        self._tell({"type": "session.created", "session": self._session})

    def text(self, data: bytes) -> None:
        if data.startswith(_APPEND):
            self._heard(base64.b64decode(data[len(_APPEND) : -2]))
            return
        message = json.loads(data)
        kind = message["type"]
        if kind == "input_audio_buffer.append":
            self._heard(base64.b64decode(message["audio"]))
        elif kind == "session.update":
            self._tell({"type": "session.updated", "session": self._session})
        elif kind == "response.create":
            self.answer(self.number, message.get("response", {}).get("metadata"))

    def _heard(self, audio: bytes) -> None:
        self.server.appends += 1
        number = self.heard_audio(audio)
        if number is not None:
            self.answer(number)

    def heard_audio(self, audio: bytes) -> int | None:
        """Return the number of the call that is to be answered, if one is."""
        return self.listen(audio, PCMU)

    def speech(self, number: int) -> bytes:
        """Return what is answered."""
        head = self.server.mark.answer(number)
        return head + self.server.speech[len(head) :]

    def answer(self, number: int, metadata: dict[str, str] | None = None) -> None:
        """Say everything as one response."""
        self._responses += 1
        ids = {"response_id": f"resp_{self._responses}", "item_id": f"item_{self._responses}"}
        place = {**ids, "output_index": 0, "content_index": 0}
        item = {"id": ids["item_id"], "type": "message", "role": "assistant", "content": []}
        response = {"id": ids["response_id"], "object": "realtime.response", "output": []}
        if metadata:
            response["metadata"] = metadata
        audio, step = self.speech(number), DELTA_MS * 8
        kind = "response.audio" if self.server.beta else "response.output_audio"
        self._tell({"type": "response.created", "response": {**response, "status": "in_progress"}})
        self._tell({"type": "response.output_item.added", **ids, "output_index": 0, "item": item})
        self.answering(number)
        for at in range(0, len(audio), step):
            delta = base64.b64encode(audio[at : at + step]).decode()
            self._tell({"type": f"{kind}.delta", **place, "delta": delta})
        self._tell({"type": f"{kind}.done", **place})
        self._tell({"type": "response.done", "response": {**response, "status": "completed"}})

    def _tell(self, message: dict[str, Any]) -> None:
        message["event_id"] = "event_mock"
        self.send(message)
