"""One answer of the bot on its way from the language model to the voice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from telephony.realtime.cascade.chunker import SentenceChunker
from telephony.realtime.cascade.claude_stream import ClaudeStream, ToolWanted
from telephony.realtime.cascade.spoken import SpokenItem
from telephony.realtime.events import ResponseStatus, Usage


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish for an answer. ``note`` says what for; a patient one waits for the caller's turn."""

    note: str | None = None
    tool_choice: str | None = None
    out_of_band: bool = False
    patient: bool = False

    @property
    def bare(self) -> bool:
        return self.note is None and self.tool_choice is None and not self.out_of_band

    def joined_with(self, later: Ask) -> Ask:
        """Return one wish for both; what the later one says for sure counts."""
        notes = [ask.note for ask in (self, later) if ask.note is not None]
        return replace(
            later,
            note="\n".join(notes) or None,
            tool_choice=later.tool_choice or self.tool_choice,
            out_of_band=self.out_of_band and later.out_of_band,
            patient=self.patient and later.patient,
        )


@dataclass(slots=True)
class Reply:
    """``after`` is the last item of the conversation that it knows of, behind which its own stand.
    ``generation_id`` is "" while no stream runs; ``held`` keeps it from being heard.

    ``group`` is the response to which the conversation counts it: a phrase said while tools run
    belongs to the answer that called them (a ``filler``).
    """

    response_id: str
    ask: Ask
    spoken: SpokenItem
    group: str = ""
    after: str | None = None
    held: bool = False
    filler: bool = False
    generation_id: str = ""
    said_for: str = ""
    """The caller's words that a reply on suspicion answers."""
    stream: ClaudeStream = field(default_factory=ClaudeStream)
    chunker: SentenceChunker = field(default_factory=SentenceChunker)
    waiting_pieces: list[str] = field(default_factory=list)
    early: bool = False
    """The voice is given what it says even while it is held; what came of that:"""
    early_texts: list[str] = field(default_factory=list)
    early_audio: list[bytes] = field(default_factory=list)
    tools: list[ToolWanted] = field(default_factory=list)
    written: bool = False
    """The model has written all of it."""
    status: ResponseStatus = "completed"
    reason: str = ""
    failing_since: float | None = None
    attempts: int = 0

    @property
    def has_words(self) -> bool:
        return bool(self.spoken.text or self.waiting_pieces)

    def usage(self, billed_s: float = 0.0) -> Usage:
        """Return what it cost; ``characters`` went to the voice."""
        characters = len(self.spoken.text)
        return replace(self.stream.usage, characters=characters, billed_s=billed_s)
