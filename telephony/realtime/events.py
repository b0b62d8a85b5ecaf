"""What a speech model may report, in one vocabulary for all dialects.

Each dialect (OpenAI Realtime, others beside it) turns its own messages into these facts. Ids are
the model's; times named ``audio_*_ms`` count from the first audio appended on this connection or,
for an item, from the item's first sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

from telephony.audio.format import AudioFormat

Role: TypeAlias = Literal["user", "assistant"]
ResponseStatus: TypeAlias = Literal["completed", "cancelled", "failed", "incomplete"]


@dataclass(frozen=True, slots=True)
class SessionReady:
    """The model accepted our configuration; audio may be appended from now on.

    Comes once per connection. The formats are those the server confirmed, which need not be those
    we asked for. ``expires_at`` is in Unix seconds.
    """

    session_id: str
    model: str
    input_format: AudioFormat
    output_format: AudioFormat
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class SessionExpiring:
    """The session nears the provider's length limit: take a new one in the next quiet moment.

    ``left_s`` is the time until the provider ends it, where that is known.
    """

    age_s: float
    left_s: float | None = None


@dataclass(frozen=True, slots=True)
class OutputFormatChanged:
    """All audio deltas after this event are in ``format``, whatever was asked for."""

    format: AudioFormat


@dataclass(frozen=True, slots=True)
class ResponseStarted:
    """``out_of_band`` responses run beside the conversation and leave no trace in it."""

    response_id: str
    out_of_band: bool = False


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """A piece of speech in the output format in force; arrives faster than real time."""

    response_id: str
    item_id: str
    content_index: int
    audio: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AudioFinished:
    """No more audio will come for this item."""

    response_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class TranscriptDelta:
    role: Role
    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptFinished:
    """``text`` is the whole transcript of the item, not its last piece.

    For the assistant it is what was generated; what the caller heard of it is decided by playout.
    """

    role: Role
    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptFailed:
    """The caller's turn was heard but could not be transcribed."""

    item_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The model's own voice activity detection heard the caller begin (padding included).

    ``audio_start_ms`` is None where the model does not say when.
    """

    item_id: str
    audio_start_ms: int | None


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """``audio_end_ms`` is None where the model does not say when."""

    item_id: str
    audio_end_ms: int | None


@dataclass(frozen=True, slots=True)
class InputCommitted:
    """The caller's turn became an item of the conversation."""

    item_id: str


@dataclass(frozen=True, slots=True)
class CallerIdle:
    """The caller said nothing for the configured time; the model responds by itself."""

    item_id: str
    audio_start_ms: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class ToolCallRequested:
    """Run the tool ``name`` and return its output under ``call_id``, exactly once.

    ``arguments`` is the text the model wrote: meant to be a JSON object, not checked here.
    """

    call_id: str
    name: str
    arguments: str
    item_id: str
    response_id: str


@dataclass(frozen=True, slots=True)
class ToolCallsCancelled:
    """The model no longer wants the outputs of these calls; nothing may be sent for them."""

    call_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApprovalRequested:
    """The model's provider wants to call a remote tool and asks first."""

    approval_id: str
    server_label: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ModelInterrupted:
    """The model cut itself off: of this response nothing more may be played.

    May come twice, and when nothing is left to play.
    """

    response_id: str


@dataclass(frozen=True, slots=True)
class AgentChanged:
    """The model's own side handed the conversation to another agent of its own."""

    name: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What one response cost. Input counts contain the cached ones.

    ``billed_s`` is time that is paid for by the second instead (a session, a transcription,
    synthesised speech). An amount below nothing, which only a faulty server states, is nothing.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    cached_text_tokens: int = 0
    cached_audio_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    billed_s: float = 0.0
    characters: int = 0
    """Text made into speech by a service that is paid by the character."""

    def __post_init__(self) -> None:
        for each in fields(self):
            if getattr(self, each.name) < 0:
                object.__setattr__(self, each.name, each.default)

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class ResponseFinished:
    """The model stopped generating; playout may go on for long after.

    ``reason`` is the model's word for a status other than completed (``turn_detected``,
    ``client_cancelled``, ``max_output_tokens``, ``content_filter``, an error code), or ours:
    ``connection_lost``, ``stalled``. ``tool_calls`` were all reported as
    :class:`ToolCallRequested` before.
    """

    response_id: str
    status: ResponseStatus
    reason: str = ""
    usage: Usage | None = None
    tool_calls: tuple[ToolCallRequested, ...] = ()
    message: str = ""
    out_of_band: bool = False


@dataclass(frozen=True, slots=True)
class ItemTruncated:
    """The model now believes it was cut off at ``audio_end_ms``.

    ``text`` is our estimate of the words the caller heard.
    """

    item_id: str
    audio_end_ms: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class ItemDeleted:
    """The model forgot the item."""

    item_id: str


@dataclass(frozen=True, slots=True)
class UsageReported:
    """Usage beside any response, not told of before.

    ``model`` is the one that was used, where it is another than the session's.
    """

    usage: Usage
    model: str = ""


@dataclass(frozen=True, slots=True)
class DigitReported:
    """The caller pressed a key, and the provider has the telephone."""

    digit: str


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    """The provider, who has the caller's line, began to play a response."""

    response_id: str


@dataclass(frozen=True, slots=True)
class PlayoutEnded:
    """Nothing of the response is played any more; ``cleared``: it was cut off."""

    response_id: str
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """New settings for the session that stands were taken; not ``accepted``: they were refused."""

    accepted: bool


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The provider ended the session, and with it the call that it carried.

    ``reason`` is its word: ``remote_hangup``, ``close_requested``, ``expired``, ``content``,
    ``connection_lost``.
    """

    reason: str


NO_RESPONSE = "no_response"
"""Code of a ModelError of our own: the connection stands, but the model no longer speaks on it."""


@dataclass(frozen=True, slots=True)
class ModelError:
    """The model complained.

    ``fatal``: this connection is of no more use. ``retryable``: a new one may do better (false for
    a wrong key, an empty account, a refused configuration). ``event_id`` names the message of ours
    that was refused, when the model says so.
    """

    code: str
    message: str
    fatal: bool
    event_id: str = ""
    retryable: bool = True


ModelEvent: TypeAlias = (
    SessionReady
    | SessionExpiring
    | OutputFormatChanged
    | ResponseStarted
    | AudioDelta
    | AudioFinished
    | TranscriptDelta
    | TranscriptFinished
    | TranscriptFailed
    | SpeechStarted
    | SpeechStopped
    | InputCommitted
    | CallerIdle
    | ToolCallRequested
    | ToolCallsCancelled
    | ApprovalRequested
    | ModelInterrupted
    | AgentChanged
    | UsageReported
    | ResponseFinished
    | ItemTruncated
    | ItemDeleted
    | DigitReported
    | PlayoutStarted
    | PlayoutEnded
    | SessionChanged
    | SessionClosed
    | ModelError
)
