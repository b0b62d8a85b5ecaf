"""How much of the caller's present turn a model hears that was connected in the middle of it."""

from __future__ import annotations

ENOUGH_MS = 300.0
"""Voice that a model hears late but surely takes for a turn."""


class HeldVoice:
    """Counts voice from a lost connection to the end of the turn that was going on.

    What was held for the next session is heard by it, and so is what follows. A detector's hangover
    is no voice: a caller who had ended when the connection was lost says nothing to the new model,
    which then will not answer by itself.
    """

    __slots__ = ("_away", "_known_ms", "_unsure", "heard_ms")

    def __init__(self) -> None:
        self.heard_ms = 0.0
        self._known_ms = 0.0
        self._away = True
        self._unsure = False

    @property
    def enough(self) -> bool:
        """Whether the model surely takes what it hears for a turn."""
        return self.heard_ms >= ENOUGH_MS

    def lost(self, voiced_ms: float) -> None:
        """The connection is gone; ``voiced_ms`` of voice in the present speech were heard."""
        self.heard_ms = 0.0
        self._known_ms = voiced_ms
        self._away = True

    def connected(self, *, speaking: bool) -> None:
        """A session hears what was held; ``speaking``: our detector is not sure of the end yet."""
        self._away = False
        self._unsure = speaking

    def voice(self, voiced_ms: float, *, ended: bool) -> bool:
        """Take the voice of the present speech so far; costs nothing while nothing is in doubt.

        Returns True when a speech ended of which the model heard too little to answer it.
        """
        if not self._away and not self._unsure:
            return False
        if voiced_ms < self._known_ms:
            # Another speech.
            self._known_ms = 0.0
        self.heard_ms += voiced_ms - self._known_ms
        self._known_ms = voiced_ms
        if not ended or self._away:
            return False
        self._unsure = False
        return not self.enough
