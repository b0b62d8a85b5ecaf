"""Server events on their way out, and the errors a client can cause."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

Wire = dict[str, Any]
"""A JSON object as it goes over, or came from, the socket."""


class ClientError(Exception):
    """A client event the server refuses; it becomes one ``error`` event and nothing else."""

    def __init__(
        self,
        code: str | None,
        message: str,
        param: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        self.code = code
        self.param = param
        self.kind = kind
        super().__init__(message)


def read_object(message: str | bytes) -> Wire:
    """Return the JSON object in a frame; raise ClientError for anything else."""
    try:
        data = json.loads(message)
    except (ValueError, RecursionError):
        raise ClientError("invalid_event", "The event is not valid JSON.") from None
    if not isinstance(data, dict):
        raise ClientError("invalid_event", "The event is not a JSON object.")
    return data


Translate = Callable[[str, Wire], Iterable[tuple[str, Wire]]]
"""Returns what is said in place of an event, for a server whose wire is another."""


class Outbox:
    """Numbers server events and keeps them, as JSON text, until they are taken.

    ``duplicating`` sends every event twice, as a faulty server would; ``translate`` puts events in
    the words of another server.
    """

    __slots__ = ("_messages", "_prefix", "_sent", "_translate", "duplicating", "emitted")

    def __init__(self, prefix: str, translate: Translate | None = None) -> None:
        self._prefix = prefix
        self._translate = translate
        self._sent = 0
        self._messages: list[str] = []
        self.duplicating = False
        self.emitted = 0

    def emit(self, kind: str, **fields: Any) -> None:
        """Queue the server event ``kind`` with ``fields`` and an event id of its own."""
        if self._translate is None:
            self._emit(kind, fields)
            return
        for said, with_fields in self._translate(kind, fields):
            self._emit(said, with_fields)

    def _emit(self, kind: str, fields: Wire) -> None:
        self._sent += 1
        event = {"type": kind, "event_id": f"event_{self._prefix}{self._sent:06d}", **fields}
        text = json.dumps(event, separators=(",", ":"))
        self._messages.append(text)
        self.emitted += 1
        if self.duplicating:
            self._messages.append(text)

    def refuse(self, error: ClientError, event_id: str | None) -> None:
        """Queue the ``error`` event for ``error``, caused by the client's ``event_id``."""
        self.emit(
            "error",
            error={
                "type": error.kind,
                "code": error.code,
                "message": str(error),
                "param": error.param,
                "event_id": event_id,
            },
        )

    def write_raw(self, text: str) -> None:
        """Queue ``text`` as it is, valid JSON or not."""
        self._messages.append(text)

    def take(self) -> list[str]:
        messages, self._messages = self._messages, []
        return messages
