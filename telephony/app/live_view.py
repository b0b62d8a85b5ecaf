"""What the demo prints while its call goes on: one line per event, on one clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from telephony.base.interfaces import Clock
from telephony.sip.flow import Flow
from telephony.turns.latency import TurnLatency

Print = Callable[[str], None]

_SPEAKERS = {"user": "caller", "assistant": "bot"}


class LiveView:
    """Prints SIP, speech, latencies and interruptions; a ``CallObserver`` and a SIP ``Trace``.

    The ladder is drawn at the caller's end, so an arrow to the right is what the caller sent.
    """

    def __init__(self, clock: Clock, print_line: Print) -> None:
        self.transcripts: list[tuple[str, str]] = []
        self.latencies: list[TurnLatency] = []
        self.barge_ins: list[tuple[str, float]] = []
        self._clock = clock
        self._print = print_line
        self._started_at = clock()

    def restart_clock(self) -> None:
        self._started_at = self._clock()

    def note(self, what: str, text: str, at: float | None = None) -> None:
        seconds = (self._clock() if at is None else at) - self._started_at
        self._print(f"{seconds:8.3f}  {what:<9} {text}")

    def trace(
        self, direction: Literal["received", "sent"], data: bytes, flow: Flow, now: float
    ) -> None:
        line = data.split(b"\r\n", 1)[0].decode("utf-8", "replace")
        words = line.split(" ", 2)
        text = " ".join(words[1:]) if words[0].startswith("SIP/") else words[0]
        arrow = "──▶" if direction == "sent" else "◀──"
        self.note("sip", f"caller {arrow} bot   {text}", now)

    def transcript_finished(self, call_id: str, role: str, text: str) -> None:
        self.transcripts.append((role, text))
        self.note(_SPEAKERS.get(role, role), f"“{text}”")

    def turn_measured(self, call_id: str, latency: TurnLatency) -> None:
        self.latencies.append(latency)
        self.note(
            "latency",
            f"{latency.total_s * 1000:.0f} ms from the caller's last voice to the first RTP packet "
            f"of the answer ({latency.model_to_caller_s * 1000:.0f} ms of it ours)",
        )

    def barged_in(self, call_id: str, reason: str, seconds: float) -> None:
        self.barge_ins.append((reason, seconds))
        self.note(
            "barge-in",
            f"the bot fell silent {seconds * 1000:.0f} ms after the caller's first voice "
            f"({reason.replace('_', ' ')})",
        )
