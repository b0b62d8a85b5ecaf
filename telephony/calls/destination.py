"""Where a caller may be transferred, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from telephony.base.dialing import DialOutcome

TransferMode = Literal["blind", "attended"]


@dataclass(frozen=True, slots=True)
class Destination:
    """A number or SIP URI with the way there.

    ``timeout_s`` limits the whole of a blind transfer, and the ringing of an attended one, which
    is placed over ``trunks`` (none: every trunk). Who answers it hears the WAV file ``play``.
    The caller hears ``hold_music`` while that takes its time, wherever the bot says nothing.
    ``description`` tells a model when to choose it.
    """

    to: str
    mode: TransferMode = "blind"
    timeout_s: float = 30.0
    trunks: tuple[str, ...] = ()
    play: str | None = None
    description: str = ""
    hold_music: str | None = None


TransferOutcome = Literal["transferred", "abandoned", "cancelled", "not_taken"] | DialOutcome
"""``abandoned``: the call ended first; ``cancelled``: the caller did not want to wait.

``not_taken``: the caller's side refuses to be transferred, wherever to.
"""


@dataclass(frozen=True, slots=True)
class TransferResult:
    """How a transfer ended. ``status`` is the SIP status that says so, 0 when none came."""

    outcome: TransferOutcome
    status: int = 0
    reason: str = ""

    @property
    def succeeded(self) -> bool:
        return self.outcome == "transferred"


@dataclass(frozen=True, slots=True)
class TransferRecord:
    """One try, for the CDR."""

    to: str
    mode: TransferMode
    outcome: TransferOutcome
    status: int
    seconds: float


_OUTCOMES: dict[int, DialOutcome] = {
    404: "not_found",
    408: "no_answer",
    410: "not_found",
    480: "no_answer",
    484: "not_found",
    486: "busy",
    487: "no_answer",
    403: "rejected",
    600: "busy",
    603: "rejected",
    604: "not_found",
    607: "rejected",
}


def result_of(status: int, reason: str, refused: bool = False) -> TransferResult:
    """Read the final status of the call that a REFER led to, or of a REFER that was refused."""
    if 200 <= status < 300:
        return TransferResult("transferred", status, reason)
    if refused:
        return TransferResult("not_taken", status, reason)
    return TransferResult(_OUTCOMES.get(status, "failed"), status, reason)


_IN_WORDS: dict[str, str] = {
    "busy": "the line is busy",
    "no_answer": "nobody answered",
    "rejected": "the call was declined",
    "not_found": "the number does not exist",
    "unreachable": "it cannot be reached at the moment",
    "not_taken": "the caller's telephone line cannot be transferred",
}


def in_words(result: TransferResult) -> str:
    """Say for a model why a transfer failed."""
    return _IN_WORDS.get(result.outcome, result.reason or "it failed")
