"""What the caller of a hosted call hears of the model, as far as the server tells."""

from __future__ import annotations


class HostedPlayout:
    """Which response is heard, from its first words on until the server has played it."""

    __slots__ = ("_begun", "_hears", "spoken_response_id")

    def __init__(self) -> None:
        self.spoken_response_id = ""
        """The response that was spoken last."""
        self._hears = ""
        self._begun = False

    @property
    def caller_hears(self) -> bool:
        return bool(self._hears)

    def expected(self, response_id: str) -> None:
        """Words of a response came: they are about to be played."""
        if response_id and response_id != self.spoken_response_id:
            self.spoken_response_id = self._hears = response_id
            self._begun = False

    def started(self, response_id: str) -> None:
        self.spoken_response_id = self._hears = response_id
        self._begun = True

    def missing(self, response_id: str) -> None:
        """The response ended before anything of it was played."""
        if self._hears == response_id and not self._begun:
            self._hears = ""

    def ended(self, response_id: str) -> str:
        """Return the response that was heard until now, "" when it was another one."""
        if response_id not in ("", self._hears):
            return ""
        heard, self._hears = self._hears, ""
        return heard
