"""The model's responses: one at a time in the conversation, others beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from telephony.rehearsal.conversation import Item
from telephony.rehearsal.outbox import ClientError
from telephony.rehearsal.response_run import ResponseRun, Stage
from telephony.rehearsal.settings import ResponseSettings, SessionSettings
from telephony.rehearsal.usage import Usage

CancelReason = Literal["turn_detected", "client_cancelled"]


class Speaker:
    """Starts, performs, cancels and forgets responses."""

    def __init__(self, stage: Stage, session: SessionSettings) -> None:
        self._stage = stage
        self._session = session
        self._runs: list[ResponseRun] = []
        self._last_usage: Usage | None = None
        self.quiet_at: float | None = None
        """When the client will have played the last response, if it finished by itself."""

    @property
    def active(self) -> ResponseRun | None:
        """The response that writes to the conversation now."""
        return next((run for run in self._runs if run.in_conversation and run.is_active), None)

    def start(self, settings: ResponseSettings, context: Iterable[Item] | None) -> ResponseRun:
        """Create a response; raise ClientError when the conversation has one already."""
        active = self.active
        if settings.in_conversation and active is not None:
            raise ClientError(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {active.id}."
                " Wait until the response is finished before creating a new one.",
            )
        items = self._stage.conversation if context is None else context
        usage = Usage.of_input(items, settings.instructions, self._last_usage)
        run = ResponseRun(self._stage, settings, usage)
        if settings.in_conversation:
            self._last_usage = usage
            self.quiet_at = None
        self._runs.append(run)
        run.begin()
        return run

    def cancel(self, response_id: str | None, reason: CancelReason, now: float) -> None:
        """Cancel the named response, or the conversation's; raise ClientError if there is none."""
        run = self.active
        if response_id is not None:
            run = next((r for r in self._runs if r.id == response_id and r.is_active), None)
        if run is None:
            raise ClientError(
                "response_cancel_not_active", "Cancellation failed: no active response found"
            )
        run.cancel(reason, now)
        self._forget_finished()

    def interrupt(self, now: float) -> None:
        """Cancel the conversation's response, if any, because the caller began to speak."""
        if self.active is not None:
            self.cancel(None, "turn_detected", now)

    def next_timer(self) -> float | None:
        return min((run.due_at for run in self._runs if run.due_at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        for run in self._runs:
            was_active = run.is_active
            run.advance(now)
            if run.audio_started_at is not None:
                self._session.has_spoken = True
            if was_active and not run.is_active and run.in_conversation:
                started_at = now if run.audio_started_at is None else run.audio_started_at
                self.quiet_at = max(now, started_at + run.audio_ms / 1000)
        self._forget_finished()

    def _forget_finished(self) -> None:
        self._runs = [run for run in self._runs if run.is_active or run.due_at is not None]
