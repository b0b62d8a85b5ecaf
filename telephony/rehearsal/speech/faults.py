"""What the rehearsal's speech services can be told to do wrong."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.base.interfaces import ModelUnavailable


@dataclass(slots=True)
class SpeechFaults:
    """May be changed at any time; ``opens`` counts how often a session was asked for.

    ``refuse_opens`` of them are refused; ``fail_after`` that many pieces of text, or turns, the
    session ends with ``code``, once.
    """

    refuse_opens: int = 0
    fail_after: int | None = None
    code: str = "connection_lost"
    retryable: bool = True
    opens: int = 0

    def opened(self) -> None:
        """Count a session; raises ModelUnavailable for one that is refused."""
        self.opens += 1
        if self.opens <= self.refuse_opens:
            reason = "the rehearsal scenario asked for this"
            raise ModelUnavailable(reason, fatal=not self.retryable)

    def due(self, count: int) -> bool:
        """Return True once, when ``count`` pieces or turns are more than are served."""
        if self.fail_after is None or count <= self.fail_after:
            return False
        self.fail_after = None
        return True
