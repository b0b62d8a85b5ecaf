"""A caller's line on OpenAI Live, as far as a sideband sees it: words, keys, appends, the end.

The model says what it is told to, word for word and faster than it lasts, and nothing else.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from typing import Any, Final

SPEAK_MARK: Final = ". "
WORD_MS: Final = 200
_SOUND: Final = b2a_base64(b"\x00\x20\x00\xe0" * (12 * WORD_MS), newline=False).decode()
"""What every word sounds like here: PCM16 at 24 kHz."""
_APPENDS: Final = ("commentary", "thinking", "instructions")


class LiveLine:
    """Drain :meth:`messages_to_send` after every other method; ``context`` is what was appended."""

    def __init__(self, session_id: str, session: dict[str, Any]) -> None:
        self.context: list[tuple[str, str]] = []
        self._session = {"id": session_id, "object": "live.session", "status": "active", **session}
        self._out: list[str] = []
        self._sent = 0
        self._spoken_ms = 0
        self._billed_s = 0.0

    def receive(self, message: str | bytes) -> None:
        """Take one event of a sideband."""
        try:
            event = json.loads(message)
            kind = str(event["type"])
        except (ValueError, TypeError, KeyError, RecursionError):
            self._refuse("invalid_event", "The event is not a JSON object with a type.", "")
            return
        event_id = event.get("event_id", "")
        if kind == "transport.dtmf.send":
            self._emit("transport.dtmf.sent", event=event.get("event"), client_event_id=event_id)
            return
        what = kind.removeprefix("session.").removesuffix(".append")
        if what not in _APPENDS or "delegation_id" not in event or not event.get("content"):
            self._refuse("invalid_event", f"{kind} can't be taken.", event_id)
            return
        self.context.append((what, event["content"]))
        times = {"start_ms": self._spoken_ms, "end_ms": self._spoken_ms}
        self._emit(f"session.{what}.appended", client_event_id=event_id, **times)
        if what == "commentary":
            self._say(event["content"].partition(SPEAK_MARK)[2] or event["content"])

    def _say(self, text: str) -> None:
        for word in text.split():
            start_ms, self._spoken_ms = self._spoken_ms, self._spoken_ms + WORD_MS
            times = {"start_ms": start_ms, "end_ms": self._spoken_ms}
            self._emit("session.output_transcript.delta", delta=f"{word} ", **times)
            self._emit("session.output_audio.delta", delta=_SOUND, **times)

    def hear(self, text: str) -> None:
        """The caller says this."""
        times = {"start_ms": self._spoken_ms, "end_ms": self._spoken_ms + 200}
        self._emit("session.input_transcript.delta", delta=text, **times)

    def press(self, digit: str) -> None:
        self._emit("transport.dtmf.received", event=digit)

    def bill(self, seconds: float) -> None:
        """Tell what the session has been billed since its start."""
        self._billed_s = max(self._billed_s, seconds)
        window = {"usage_ratio": 0.1}
        self._emit(
            "session.usage.updated", usage={"seconds": self._billed_s}, context_window=window
        )

    def end(self, reason: str) -> None:
        self._session["status"] = "closed"
        usage = {"seconds": max(self._billed_s, self._spoken_ms / 1000)}
        self._emit("session.closed", reason=reason, session=self._session, usage=usage)

    def messages_to_send(self) -> list[str]:
        messages, self._out = self._out, []
        return messages

    def _refuse(self, code: str, message: str, event_id: str) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message}
        self._emit("error", error={**error, "client_event_id": event_id})

    def _emit(self, kind: str, **fields: Any) -> None:
        self._sent += 1
        event = {"type": kind, "event_id": f"event_{self._sent:06d}", **fields}
        self._out.append(json.dumps(event))
