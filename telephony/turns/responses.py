"""Which responses were begun, are over, or were interrupted."""

from __future__ import annotations

_REMEMBERED = 256
"""Ids of past responses kept against late and repeated facts; a call has a few in flight."""


class ResponseBook:
    """At most one response is active; one that is over never becomes active again."""

    __slots__ = ("_past", "active", "audible")

    def __init__(self) -> None:
        self.active: str | None = None
        """The response the model is generating."""
        self.audible: str | None = None
        """The last response that brought audio, unless it was interrupted."""
        self._past: dict[str, None] = {}

    def begin(self, response_id: str) -> bool:
        """Return True when this is news; the response before, if still active, is over."""
        if response_id == self.active or response_id in self._past:
            return False
        if self.active is not None:
            self._put_away(self.active)
        self.active = response_id
        return True

    def finish(self, response_id: str) -> bool:
        """Return True when the active response is over now."""
        if response_id == self.active:
            self.active = None
            self._put_away(response_id)
            return True
        if response_id not in self._past:
            # Over before its beginning was reported: the beginning will come too late.
            self._put_away(response_id)
        return False

    def interrupt(self) -> str | None:
        """End whatever was active or audible and return its id, the active one first."""
        response_id = self.active or self.audible
        if self.active is not None:
            self._put_away(self.active)
        self.active = self.audible = None
        return response_id

    def _put_away(self, response_id: str) -> None:
        self._past[response_id] = None
        if len(self._past) > _REMEMBERED:
            del self._past[next(iter(self._past))]
