"""Rules on what is said, watched while the transcript comes in.

A transcript comes in pieces, and faster than it is heard. Where it is cut into pieces makes no
difference here: a pattern is looked for whenever a word has ended, which only the character after
it shows, and a function is asked about the text up to the first end of a word after every
``check_every`` characters. The end of the transcript ends its last word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Side = Literal["input", "output"]
Remedy = Literal["tell", "transfer", "hangup"]

WINDOW_CHARACTERS = 128
"""How far back a pattern may begin from the end of a word."""

_MAX_TEXT = 65_536
_MAX_ITEMS = 16
# Scripts that put no blanks between words: Thai, Lao, Myanmar, Khmer, kana, Han.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNSPACED += "\U00020000-\U0003ffff"
_WORD_END = re.compile(rf"(?<=\w)(?!\w)|(?<=[{_UNSPACED}])")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Rule:
    """What must not be said, by the caller (``input``) or by the bot (``output``).

    Either ``pattern`` or ``function`` is given; a function takes the text so far. ``message`` is
    what the model is told when the rule was broken. ``remedy`` is for the caller's words: tell
    the model, ``transfer`` to ``transfer_to``, or hang up.
    """

    name: str
    side: Side
    pattern: re.Pattern[str] | None = None
    function: Callable[..., Any] | None = None
    message: str = ""
    remedy: Remedy = "tell"
    transfer_to: str = ""


@dataclass(frozen=True, slots=True)
class Guardrails:
    """The rules of one agent.

    After ``max_trips`` answers of the bot that were cut off in one call, the next one is the
    last: the caller is transferred to ``transfer_to``, or without one hung up on.
    """

    rules: tuple[Rule, ...] = ()
    max_trips: int = 3
    transfer_to: str = ""
    check_every: int = 100
    check_timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Trip:
    """A rule was broken in this item."""

    rule: Rule
    item_id: str


@dataclass(frozen=True, slots=True)
class CheckDue:
    """A rule's function is to be asked about the text so far."""

    rule: Rule
    item_id: str
    text: str


Finding: TypeAlias = Trip | CheckDue


@dataclass(slots=True)
class _Item:
    text: str = ""
    scanned: int = -1
    checked: int = 0
    broken: set[str] = field(default_factory=set)


class TranscriptWatch:
    """Looks at the transcripts of one side of one call."""

    def __init__(self, rules: Sequence[Rule], check_every: int = 100) -> None:
        self._patterns = [(rule, rule.pattern) for rule in rules if rule.pattern is not None]
        self._functions = [rule for rule in rules if rule.function is not None]
        self._check_every = check_every
        self._items: dict[str, _Item] = {}

    def append(self, item_id: str, piece: str) -> list[Finding]:
        """Take a piece of an item's transcript; a rule is broken once per item."""
        item = self._item(item_id)
        item.text += piece[: _MAX_TEXT - len(item.text)]
        return list(self._look(item_id, item, final=False))

    def finish(self, item_id: str, text: str) -> list[Finding]:
        """Take the whole transcript of an item, which need not be what its pieces were."""
        item = self._item(item_id)
        text = text[:_MAX_TEXT]
        if not text.startswith(item.text):
            item.scanned, item.checked = -1, 0
        item.text = text
        return list(self._look(item_id, item, final=True))

    def _item(self, item_id: str) -> _Item:
        item = self._items.setdefault(item_id, _Item())
        if len(self._items) > _MAX_ITEMS:
            del self._items[next(iter(self._items))]
        return item

    def _look(self, item_id: str, item: _Item, *, final: bool) -> Iterator[Finding]:
        for end in _ends(item.text, item.scanned + 1, final=final):
            item.scanned = end
            begin = max(0, end - WINDOW_CHARACTERS)
            for rule, pattern in self._patterns:
                if rule.name not in item.broken and pattern.search(item.text, begin, end):
                    item.broken.add(rule.name)
                    yield Trip(rule, item_id)
            due = end - end % self._check_every > item.checked
            if due or (final and end == len(item.text) > item.checked):
                item.checked = end
                for rule in self._functions:
                    yield CheckDue(rule, item_id, item.text[:end])


def _ends(text: str, begin: int, *, final: bool) -> Iterator[int]:
    """Yield where words end from ``begin`` on; the end of the text is one when it is final."""
    for mark in _WORD_END.finditer(text, begin):
        if mark.start() < len(text):
            yield mark.start()
    if final and text and begin <= len(text):
        yield len(text)


def phrase_pattern(phrases: Sequence[str]) -> re.Pattern[str]:
    """Return the pattern for any of these phrases as whole words, in upper or lower case.

    Between the words of a phrase anything may stand that is no letter, digit or underscore. Raises
    ValueError for a phrase without a word, or too long to be found.
    """
    alternatives = []
    for phrase in phrases:
        words = _WORD.findall(phrase)
        if not words:
            raise ValueError(f"there is no word in {phrase!r}")
        if len(phrase) > WINDOW_CHARACTERS - 28:
            raise ValueError(f"a phrase has at most {WINDOW_CHARACTERS - 28} characters")
        before = "" if _IS_UNSPACED.match(words[0]) else r"(?<!\w)"
        after = "" if _IS_UNSPACED.match(words[-1][-1]) else r"(?!\w)"
        alternatives.append(before + r"\W+".join(map(re.escape, words)) + after)
    return re.compile("|".join(alternatives), re.IGNORECASE)
