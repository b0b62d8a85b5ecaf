"""What a bridge counts, and whom it tells."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from telephony.realtime import events as model
from telephony.turns.latency import TurnLatency


@dataclass(slots=True)
class BridgeStats:
    """What one conversation came to, for the CDR.

    ``barge_ins`` are the caller's, ``cut_offs`` are for reasons of ours: a guardrail's rule.
    """

    responses: int = 0
    barge_ins: int = 0
    cut_offs: int = 0
    barge_in_s: list[float] = field(default_factory=list)
    latencies: list[TurnLatency] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0

    def count(self, usage: model.Usage) -> None:
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens


class BridgeListener(Protocol):
    """Who does what takes time: tools, reconnects, hanging up."""

    def session_ready(self) -> None: ...

    def session_expiring(self, left_s: float | None) -> None:
        """The session nears its length limit, which comes in ``left_s`` if that is known."""

    def response_finished(self, event: model.ResponseFinished) -> None: ...

    def usage_reported(self, usage: model.Usage, model_name: str) -> None:
        """Something was used that is paid for; ``model_name`` is "" for the session's own model."""

    def model_failed(self, error: model.ModelError) -> None: ...

    def playout_drained(self) -> None:
        """The caller heard everything that was queued."""

    def interrupted(self, reason: str, seconds: float | None) -> None:
        """The bot was cut off; what was queued is gone.

        ``seconds`` went from the caller's first voice to the end of the bot's last packet; None
        when the bot was not heard speaking, or was cut off for reasons of ours.
        """

    def turn_measured(self, latency: TurnLatency) -> None: ...

    def caller_silent(self, hang_up: bool) -> None: ...

    def caller_turn_ended(self, *, by_model: bool) -> None:
        """The caller has said something, or pressed keys, and is done; may be told twice.

        ``by_model``: the model, or keys, say so; else only our detector, which noise may deceive.
        """

    def transcript_grew(self, role: str, item_id: str, piece: str) -> None:
        """A piece of what somebody says has come; what the bot says is ahead of its sound."""

    def transcript(self, role: str, text: str, item_id: str = "") -> None: ...

    def tool_calls_cancelled(self, call_ids: Collection[str]) -> None:
        """The model no longer wants the outputs of these calls."""

    def approval_requested(self, event: model.ApprovalRequested) -> None: ...

    def timers_changed(self) -> None:
        """The dialect's next deadline may be another one now."""
