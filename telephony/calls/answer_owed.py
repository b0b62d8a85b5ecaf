"""The answer that a caller waits for while their model is gone."""

from __future__ import annotations

from typing import Any

from telephony.audio.format import AudioFormat
from telephony.calls.bridge import Bridge
from telephony.calls.prompt_audio import PromptAudio
from telephony.realtime.events import ResponseFinished


class AnswerOwed:
    """Knows whether a lost session owed an answer, and what the caller hears meanwhile.

    ``filler`` is that sound, in the line's format.
    """

    def __init__(self, bridge: Bridge, prompts: PromptAudio, line: AudioFormat, log: Any) -> None:
        self.filler = b""
        self._bridge = bridge
        self._prompts = prompts
        self._line = line
        self._log = log
        self._owed = self._asked_again = False

    async def load(self, source: str | None) -> bytes:
        """Return a sound of the prompts; one that can't be played is silence."""
        if source is None:
            return b""
        try:
            return await self._prompts.fetch(source, self._line)
        except (OSError, ValueError) as error:
            self._log.warning("filler.failed", source=source, reason=str(error))
            return b""

    def response_finished(self, event: ResponseFinished, *, interrupted: bool) -> None:
        """A response that failed leaves the caller waiting for what would have been said."""
        if event.out_of_band:
            return
        self._owed = event.status == "failed" and not interrupted
        if not self._owed:
            self._asked_again = False

    def fill(self) -> None:
        """Say something in the place of a model that is gone while the caller waits for it."""
        if self.filler and (self._owed or self._bridge.caller_waits):
            self._bridge.fill(self.filler)

    def due_again(self) -> bool:
        """Return whether a session that goes on is to be asked once more for what failed.

        Once: what fails twice may fail for what was said.
        """
        if not self._owed or self._asked_again:
            return False
        self._asked_again = True
        return self.due()

    def due(self) -> bool:
        """Return, once, whether the new session is to be asked for the answer.

        Not where the caller goes on speaking, and that is answered anyway.
        """
        bridge = self._bridge
        owed, self._owed = self._owed or bridge.caller_waits, False
        return owed and not (bridge.turn_follows and bridge.dialect.traits.responds_by_itself)
