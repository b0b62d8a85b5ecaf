"""A caller's line on OpenAI Live, as far as a sideband sees it: words, keys, tools, the end.

The model says what it is told to, word for word and faster than it lasts, and a word when its
backend has the outputs of its tools. What tools are called is for a test to say.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from telephony.base.ids import Ids
from telephony.rehearsal.live.fields import Delegation
from telephony.rehearsal.live.work import Work
from telephony.rehearsal.outbox import ClientError, Outbox
from telephony.rehearsal.scenario import ToolCall

SPEAK_MARK: Final = ". "
WORD_MS: Final = 200
_SOUND: Final = b2a_base64(b"\x00\x20\x00\xe0" * (12 * WORD_MS), newline=False).decode()
"""What every word sounds like here: PCM16 at 24 kHz."""
_APPENDS: Final = ("commentary", "thinking", "instructions")
_DELEGATION: Final[TypeAdapter[Delegation | None]] = TypeAdapter(Delegation | None)


class LiveLine:
    """Drain :meth:`messages_to_send` after every other method.

    ``context`` is what was appended, ``keys`` what was pressed on the caller's line, ``work`` what
    was delegated. Raises ClientError when the delegation of ``session`` is no good.
    """

    def __init__(self, session_id: str, session: dict[str, Any], ids: Ids) -> None:
        self.context: list[tuple[str, str]] = []
        self.keys = ""
        self._session = {"id": session_id, "object": "live.session", "status": "active", **session}
        self._outbox = Outbox("")
        try:
            delegation = _DELEGATION.validate_python(session.get("delegation"))
        except ValidationError as error:
            raise ClientError("invalid_value", str(error), "session.delegation") from None
        self.work = Work(self._outbox, ids, delegation)
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
        try:
            self._take(kind, event, event_id)
        except ClientError as error:
            self._refuse(error.code or "", str(error), event_id)

    def _take(self, kind: str, event: dict[str, Any], event_id: str) -> None:
        if kind == "transport.dtmf.send":
            self.keys += str(event.get("event"))
            self._emit("transport.dtmf.sent", event=event.get("event"), client_event_id=event_id)
        elif kind == "response.item.create":
            self.work.take_item(event.get("item") or {})
        elif kind == "response.create":
            if self.work.go_on() is not None:
                self._say("So.")
        else:
            self._append(kind, event, event_id)

    def _append(self, kind: str, event: dict[str, Any], event_id: str) -> None:
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

    def call_tool(self, name: str, arguments: dict[str, Any]) -> None:
        """The model's backend calls a tool, if the session offers it."""
        self.work.delegate([ToolCall(name=name, arguments=arguments)], self._spoken_ms)

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
        return self._outbox.take()

    def _refuse(self, code: str, message: str, event_id: str) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message}
        self._emit("error", error={**error, "client_event_id": event_id})

    def _emit(self, kind: str, **fields: Any) -> None:
        self._outbox.emit(kind, **fields)
