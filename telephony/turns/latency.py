"""How long a caller waits for an answer, and where the time goes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TurnLatency:
    """From the caller's last voice to the first RTP packet of the answer.

    ``caller_to_model_s`` ends at the model's first audio delta and contains the network, the
    model's endpointing and its thinking; ``model_to_caller_s`` is ours alone.
    ``caller_to_response_s`` ends when the model says it has begun a response.
    """

    total_s: float
    caller_to_model_s: float
    model_to_caller_s: float
    caller_to_response_s: float


class LatencyTracker:
    """Marks of one turn at a time: from :meth:`caller_started` to the answer's first packet.

    A caller who speaks again before the answer begins the measurement anew. A response without
    audio (a tool call) keeps the turn open: the caller waits for the one after it just the same.
    Speech of the bot that answers nobody is not measured.
    """

    __slots__ = ("_first_delta_at", "_open", "_response_at", "_stopped_at")

    def __init__(self) -> None:
        self._open = False
        self._stopped_at: float | None = None
        self._response_at: float | None = None
        self._first_delta_at: float | None = None

    @property
    def waiting(self) -> bool:
        """True while the caller waits for an answer."""
        return self._stopped_at is not None

    @property
    def unanswered_since(self) -> float | None:
        """When the caller last spoke, if no response has begun since; None otherwise."""
        return self._stopped_at if self._response_at is None else None

    def caller_started(self) -> None:
        self._close()
        self._open = True

    def caller_stopped(self, stopped_at: float) -> None:
        """The caller's voice was last heard at ``stopped_at``, the detector's hangover taken off.

        Both detectors may report the same end, and a pause may turn out not to be the end: the
        last report counts. Once there is a response a report can only move the mark back.
        """
        if not self._open:
            return
        if self._response_at is None or self._stopped_at is None:
            self._stopped_at = stopped_at
        else:
            self._stopped_at = min(self._stopped_at, stopped_at)

    def response_started(self, now: float) -> None:
        if self._stopped_at is not None and self._response_at is None:
            self._response_at = now

    def audio_received(self, now: float) -> None:
        if self._stopped_at is None or self._first_delta_at is not None:
            return
        if self._response_at is None:
            self._response_at = now
        self._first_delta_at = now

    def packet_sent(self, now: float) -> TurnLatency | None:
        """The first RTP packet of a talkspurt went out; return the turn it answers, once."""
        stopped, response, delta = self._stopped_at, self._response_at, self._first_delta_at
        if stopped is None or response is None or delta is None:
            return None
        self._close()
        return TurnLatency(
            total_s=max(0.0, now - stopped),
            caller_to_model_s=max(0.0, delta - stopped),
            model_to_caller_s=max(0.0, now - delta),
            caller_to_response_s=max(0.0, response - stopped),
        )

    def interrupted(self) -> None:
        """What would have been the answer was cut off before it was heard.

        Call it before :meth:`caller_started` when one fact means both.
        """
        self._close()

    def _close(self) -> None:
        self._open = False
        self._stopped_at = self._response_at = self._first_delta_at = None
