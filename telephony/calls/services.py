"""What the calls of a process share; nothing here belongs to one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic
from typing import Protocol

from telephony.audio.format import AudioFormat
from telephony.base.dialing import Dialer, DialRequest
from telephony.base.ids import Ids
from telephony.base.interfaces import CallMetrics, Clock, Encoding, LegFacts, ModelConnector
from telephony.calls.agent import Agent
from telephony.calls.call_recording import RecordingRules
from telephony.calls.line import FrameRecorder
from telephony.calls.model_breakers import ModelBreakers
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.recorder import Kept
from telephony.calls.recording_encoders import RecordingFormat
from telephony.calls.spend import SpendLedger, SpendLimits
from telephony.turns.latency import TurnLatency


class Metrics(CallMetrics, Protocol):
    """What the call layer counts."""

    def model_audio_dropped(self, seconds: float) -> None:
        """So much of what a caller said never reached the model."""

    def model_spent(self, api: str, usd: float) -> None:
        """A model cost so much."""

    def tool_limit_reached(self, limit: str) -> None:
        """A call of a tool was refused: ``calls``, ``repeats`` or ``rounds``."""

    def guardrail_tripped(self, rule: str, side: str) -> None:
        """Something was said that must not be; ``side`` is ``input`` or ``output``."""


class CallRecorder(FrameRecorder, Protocol):
    @property
    def path(self) -> Path: ...

    @property
    def paused_ms(self) -> int: ...

    def keep(self, kept: Kept) -> None: ...

    async def close(self) -> None: ...


OpenRecorder = Callable[[str, AudioFormat, int, RecordingFormat | None], CallRecorder]
"""Opens the recording of a call, given its id, the line's format, the ptime in ms and the format
that the dialplan wants."""


class CallObserver(Protocol):
    """Who watches calls as they happen (the demo); every method returns at once."""

    def transcript_finished(self, call_id: str, role: str, text: str) -> None: ...

    def turn_measured(self, call_id: str, latency: TurnLatency) -> None: ...

    def barged_in(self, call_id: str, reason: str, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class CallLimits:
    max_call_s: float = 3600.0
    media_timeout_s: float = 60.0
    setup_timeout_s: float = 10.0
    retry_after_s: int = 5


class LineShape(Protocol):
    """What a line carries: all that a conversation has to know of a leg's media."""

    @property
    def encoding(self) -> Encoding: ...

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def ptime_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class OutboundLine:
    """The line of a call that is placed, chosen before the callee is asked.

    ``ptime_ms`` is that of the media plane.
    """

    encoding: Encoding = "pcmu"
    sample_rate_hz: int = 8000
    ptime_ms: int = 20


def plain_line(request: DialRequest) -> OutboundLine:
    """Return mu-law, whoever is called."""
    return OutboundLine()


def nobody_refers(facts: LegFacts, target_uri: str) -> str:
    """Decline every REFER: who may send one may spend our money."""
    return ""


def system_time() -> datetime:
    """Return the wall clock's time in UTC."""
    return datetime.now(UTC)


class ConversationServices(Protocol):
    """The part of :class:`CallServices` that a conversation needs."""

    @property
    def connector(self) -> ModelConnector: ...

    @property
    def metrics(self) -> Metrics: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def utc_now(self) -> Callable[[], datetime]: ...

    @property
    def ids(self) -> Ids: ...

    @property
    def breakers(self) -> ModelBreakers: ...


def utc_today() -> date:
    """Return the day on which limits of a day are counted."""
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class CallServices:
    agents: Mapping[str, Agent]
    connector: ModelConnector
    metrics: Metrics
    prompts: PromptAudio
    clock: Clock
    ids: Ids
    limits: CallLimits
    open_recorder: OpenRecorder | None = None
    recording: RecordingRules = field(default_factory=RecordingRules)
    spend: SpendLedger = field(default_factory=lambda: SpendLedger(SpendLimits(), utc_today))
    breakers: ModelBreakers = field(default_factory=lambda: ModelBreakers(monotonic))
    observer: CallObserver | None = None
    dialer: Dialer | None = None
    """Places calls; without one there are no attended transfers and no outbound calls."""
    referral_target: Callable[[LegFacts, str], str] = nobody_refers
    """Whom to dial when the peer of a leg asks us to call a URI; empty declines."""
    outbound_line: Callable[[DialRequest], OutboundLine] = plain_line
    """Tells the line of a call before anybody is dialled."""
    utc_now: Callable[[], datetime] = system_time
