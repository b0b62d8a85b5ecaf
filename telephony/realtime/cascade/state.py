"""What the parts of a cascade's core share: the conversation, and what goes out of it."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.cascade.config import CascadeConfig
from telephony.realtime.cascade.messages import Command
from telephony.realtime.cascade.spoken import SpokenItem
from telephony.realtime.dialect import Brief
from telephony.realtime.events import ItemDeleted, ItemTruncated, ModelEvent
from telephony.realtime.history import History, HistoryItem, text_heard
from telephony.realtime.stats import RealtimeStats
from telephony.realtime.tool_calls import ToolCalls
from telephony.realtime.wire import JsonObject

_MAX_SPOKEN = 64
_MAX_FENCED = 64


@dataclass(slots=True)
class CascadeStats:
    """What only a cascade counts."""

    speculations: int = 0
    speculations_used: int = 0
    retries: int = 0
    fillers: int = 0
    empty_turns: int = 0
    late_words: int = 0


class CascadeState:
    """One conversation; outlives the connections."""

    def __init__(
        self,
        config: CascadeConfig,
        brief: Brief,
        ids: Ids,
        input_format: AudioFormat,
        output_format: AudioFormat,
    ) -> None:
        self.config = config
        self.brief = brief
        self.ids = ids
        self.input_format = input_format
        self.output_format = output_format
        self.history = History(brief.history, config.llm.max_history_items)
        self.calls = ToolCalls()
        for call_id in self.history.unanswered_calls():
            self.calls.adopt(call_id)
        self.thinking: dict[str, list[JsonObject]] = {}
        self.outbox: list[Command] = []
        self.events: list[ModelEvent] = []
        self.stats = RealtimeStats()
        self.cascade_stats = CascadeStats()
        self.ready = False
        self.now = 0.0
        """The last time that was told; commands come without one."""
        self.caller_speaking = False
        """A turn goes on, or its words are still waited for."""
        self.cuts = 0
        """How often something the bot said was cut off."""
        self.billed_bytes = 0
        """Audio given to the transcriber that no usage told of yet."""
        self._spoken: dict[str, SpokenItem] = {}
        self._fenced: dict[str, None] = {}

    def item_id(self) -> str:
        return f"item_{self.ids.token(8)}"

    def last_item_id(self) -> str | None:
        """Return the end of the conversation as it is now; for an empty one, its beginning."""
        last = None
        for item in self.history:
            last = item.item_id
        return last or "root"

    def take_billed_s(self) -> float:
        seconds = self.billed_bytes / self.input_format.bytes_per_second
        self.billed_bytes = 0
        return seconds

    def fence(self, response_id: str) -> None:
        self._fenced[response_id] = None
        if len(self._fenced) > _MAX_FENCED:
            del self._fenced[next(iter(self._fenced))]

    def is_fenced(self, response_id: str) -> bool:
        return response_id in self._fenced

    # What the caller heard

    def remember(self, spoken: SpokenItem) -> None:
        self._spoken[spoken.item_id] = spoken
        if len(self._spoken) > _MAX_SPOKEN:
            del self._spoken[next(iter(self._spoken))]

    def truncate(self, item_id: str, audio_end_ms: int) -> None:
        """Cut an item to the words that were heard; one without any is forgotten.

        All heard changes nothing, and so does an item that is not in the conversation.
        """
        spoken, item = self._spoken.get(item_id), self.history.get(item_id)
        if item is None or item.kind != "message" or item.role != "assistant":
            return
        received_ms = self._received_ms(item)
        end_ms = min(audio_end_ms, int(received_ms))
        if end_ms >= int(received_ms) and (spoken is None or spoken.finished):
            return
        if item.heard_ms is not None and end_ms >= item.heard_ms:
            return
        if spoken is None:
            # It was spoken in another session, of which only the length is known.
            text = text_heard(item.text, end_ms, received_ms)
        else:
            text = spoken.text_until(end_ms, received_ms)
        if not text.strip():
            self.delete(item_id)
            return
        self._cut(item, text, end_ms)
        self.stats.truncated += 1
        self.events.append(ItemTruncated(item_id, end_ms, text))

    def _received_ms(self, item: HistoryItem) -> float:
        spoken = self._spoken.get(item.item_id)
        return item.generated_ms if spoken is None else spoken.received_ms(self.output_format)

    def conversation(self) -> tuple[HistoryItem, ...]:
        """Return the items, each with the length of its audio so far."""
        for item in self.history:
            if item.heard_ms is None and item.item_id in self._spoken:
                item.generated_ms = self._received_ms(item)
        return tuple(self.history)

    def cut_to_received(self, spoken: SpokenItem) -> None:
        """Take out of an item the words that no audio came for."""
        item = self.history.get(spoken.item_id)
        if item is None or spoken.finished:
            return
        received_ms = spoken.received_ms(self.output_format)
        text = spoken.text_until(received_ms, received_ms)
        if text.strip():
            self._cut(item, text, int(received_ms) + 1)
        else:
            self.history.remove(spoken.item_id)

    def _cut(self, item: HistoryItem, text: str, end_ms: int) -> None:
        # The share that was heard is the whole text now: no more is to be taken off it.
        item.replace_text(text)
        item.heard_ms = item.generated_ms = float(end_ms)
        self.cuts += 1

    def delete(self, item_id: str) -> None:
        item = self.history.get(item_id)
        if item is None:
            return
        self.history.remove(item_id)
        if item.role == "assistant" and item.kind == "message":
            self.cuts += 1
        self.stats.deleted += 1
        self.events.append(ItemDeleted(item_id))
