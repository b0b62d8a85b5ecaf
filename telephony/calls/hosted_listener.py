"""What the bridge of a hosted call counts, and whom it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from telephony.realtime import events as model


@dataclass(slots=True)
class HostedStats:
    """What the sideband told of a call, for its CDR.

    ``barge_ins`` are the caller's, ``cut_offs`` are for reasons of ours: a guardrail's rule.
    """

    responses: int = 0
    turns: int = 0
    barge_ins: int = 0
    cut_offs: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class HostedListener(Protocol):
    """Who does what takes time: tools, reconnects, hanging up."""

    def session_ready(self) -> None: ...

    def session_changed(self, accepted: bool) -> None: ...

    def session_closed(self, reason: str) -> None: ...

    def transcript_grew(self, role: str, item_id: str, piece: str) -> None: ...

    def transcript(self, role: str, text: str, item_id: str = "") -> None: ...

    def caller_turn_ended(self) -> None:
        """The caller has said something, or pressed keys, and is done."""

    def response_finished(self, event: model.ResponseFinished) -> None: ...

    def usage_reported(self, usage: model.Usage, model_name: str) -> None: ...

    def playout_drained(self) -> None:
        """The caller heard everything that was said."""

    def interrupted(self, reason: str) -> None:
        """The bot was cut off: by the ``server``, for a ``digit``, by a rule (``guardrail``).

        ``unwatched``: as nobody had watched what it said.
        """

    def digit_received(self) -> None: ...

    def caller_silent(self, hang_up: bool) -> None: ...

    def approval_requested(self, event: model.ApprovalRequested) -> None: ...

    def model_failed(self, error: model.ModelError) -> None: ...
