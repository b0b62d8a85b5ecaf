"""What the model must be told about what the caller did not hear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor
from typing import Protocol


class HeardItem(Protocol):
    """One item of the flushed playout.

    ``played_ms`` went to the caller as RTP, ``received_ms`` came from the model, and
    ``finished`` says that no more of the item would have come.
    """

    @property
    def item_id(self) -> str: ...

    @property
    def played_ms(self) -> float: ...

    @property
    def received_ms(self) -> float: ...

    @property
    def finished(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class TruncateItem:
    item_id: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Nothing of the item was heard."""

    item_id: str


def corrections(
    heard: Iterable[HeardItem], latency_ms: float = 0.0
) -> list[TruncateItem | DeleteItem]:
    """Return what makes the model's memory that of the caller, in the order of ``heard``.

    ``latency_ms`` is the way from our socket to the caller's ear. The end is rounded down: one
    millisecond beyond the audio the model sent is an error to it.
    """
    found: list[TruncateItem | DeleteItem] = []
    for item in heard:
        if item.finished and item.played_ms >= item.received_ms > 0:
            continue
        audio_end_ms = floor(min(item.played_ms - latency_ms, item.received_ms))
        if audio_end_ms > 0:
            found.append(TruncateItem(item.item_id, audio_end_ms))
        else:
            found.append(DeleteItem(item.item_id))
    return found
