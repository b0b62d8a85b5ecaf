"""What PJSIP tells of one call, copied out of its callbacks: their arguments die with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from telephony.stacks.pjsip.frame_queues import FrameQueues
from telephony.stacks.pjsip.stream_counts import StreamReading

CallState = Literal["calling", "incoming", "early", "connecting", "confirmed", "disconnected"]


@dataclass(frozen=True, slots=True)
class StateChanged:
    """``status`` and ``reason`` are those of the last response in either direction.

    ``remote_target`` is the URI of the peer's Contact, "" before it is known.
    """

    state: CallState
    status: int = 0
    reason: str = ""
    remote_target: str = ""


@dataclass(frozen=True, slots=True)
class MediaChanged:
    """The audio was negotiated, for the first time or anew; ``sends`` and ``receives`` are ours.

    ``takes_digits``: telephone-events were agreed on. ``queues`` are where the frames pass,
    ``codec`` is what RTP carries.
    """

    sends: bool
    receives: bool
    takes_digits: bool
    queues: FrameQueues = field(repr=False)
    codec: str = ""


@dataclass(frozen=True, slots=True)
class CountsRead:
    """What a stream has counted so far; ``final``: the stream is gone, the next begins at 0."""

    reading: StreamReading
    final: bool = False


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """A response of the peer to our INVITE, the first one or a later one."""

    status: int
    reason: str
    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ByeReceived:
    """The peer hung up."""

    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReferAnswered:
    """The peer's final answer to our REFER."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReferNotified:
    """A NOTIFY about the call that we asked the peer to place."""

    status: int
    reason: str
    final: bool


@dataclass(frozen=True, slots=True)
class DigitPressed:
    digit: str
    by_rtp: bool


@dataclass(frozen=True, slots=True)
class CommandFailed:
    """PJSIP refused a command of ours; ``what`` names it."""

    what: str
    reason: str


CallEvent = (
    StateChanged
    | MediaChanged
    | CountsRead
    | ResponseReceived
    | ByeReceived
    | ReferAnswered
    | ReferNotified
    | DigitPressed
    | CommandFailed
)
