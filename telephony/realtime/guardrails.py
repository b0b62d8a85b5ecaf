"""Rules on what is said, watched while the transcript comes in.

A transcript comes in pieces, and faster than it is heard. Where it is cut into pieces makes no
difference here: rules are looked at whenever a word has ended, which only the character after it
shows, and a function is asked about the text up to the first end of a word after every
``check_every`` characters. The end of the transcript ends its last word.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from telephony.realtime.linear_regex import LinearRegex, Window

Side = Literal["input", "output"]
Remedy = Literal["tell", "transfer", "hangup"]
Phrase: TypeAlias = tuple[str, ...]

WINDOW_CHARACTERS = 128
"""How far back what a pattern finds may begin from the end of a word."""

MAX_PHRASE_WORDS = 24

_MAX_TEXT = 65_536
_MAX_ITEMS = 16
# Scripts that put no blanks between words: Thai, Lao, Myanmar, Khmer, kana, Han. There every
# character is a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNSPACED += "\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


@dataclass(frozen=True, slots=True)
class Rule:
    """What must not be said, by the caller (``input``) or by the bot (``output``).

    One of ``phrases`` (see :func:`read_phrase`), ``pattern`` and ``function`` is given; a function
    takes the text so far. ``message`` is what the model is told when the rule was broken.
    ``remedy`` is for the caller's words: tell the model, ``transfer`` to ``transfer_to``, or hang
    up.
    """

    name: str
    side: Side
    phrases: tuple[Phrase, ...] = ()
    pattern: LinearRegex | None = None
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
    """``words`` are the last ones that ended; ``scanned`` is where the last of them did."""

    words: deque[str]
    text: str = ""
    scanned: int = 0
    checked: int = 0
    broken: set[str] = field(default_factory=set)


class TranscriptWatch:
    """Looks at the transcripts of one side of one call."""

    def __init__(self, rules: Sequence[Rule], check_every: int = 100) -> None:
        self._by_last_word: dict[str, list[tuple[Phrase, Rule]]] = {}
        for rule in rules:
            for phrase in rule.phrases:
                self._by_last_word.setdefault(phrase[-1], []).append((phrase, rule))
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
            item.scanned = item.checked = 0
            item.words.clear()
        item.text = text
        return list(self._look(item_id, item, final=True))

    def _item(self, item_id: str) -> _Item:
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = _Item(deque(maxlen=MAX_PHRASE_WORDS))
            if len(self._items) > _MAX_ITEMS:
                del self._items[next(iter(self._items))]
        return item

    def _look(self, item_id: str, item: _Item, *, final: bool) -> Iterator[Finding]:
        text = item.text
        for word in _WORD.finditer(text, item.scanned):
            if word.end() == len(text) and not final:
                return
            item.words.append(word[0].casefold())
            item.scanned = word.end()
            yield from self._word_ended(item_id, item)
        if final and item.scanned < len(text):
            # What follows the last word may be what a pattern waits for.
            item.scanned = len(text)
            yield from self._patterns_found(item_id, item)
        if final and item.checked < len(text):
            yield from self._checks(item_id, item, len(text))

    def _word_ended(self, item_id: str, item: _Item) -> Iterator[Finding]:
        phrases = self._by_last_word.get(item.words[-1])
        if phrases is not None:
            words = tuple(item.words)
            for phrase, rule in phrases:
                if words[-len(phrase) :] == phrase and rule.name not in item.broken:
                    item.broken.add(rule.name)
                    yield Trip(rule, item_id)
        yield from self._patterns_found(item_id, item)
        end = item.scanned
        if end - end % self._check_every > item.checked:
            yield from self._checks(item_id, item, end)

    def _patterns_found(self, item_id: str, item: _Item) -> Iterator[Finding]:
        if not self._patterns:
            return
        end = item.scanned
        window = Window(item.text, max(0, end - WINDOW_CHARACTERS), end)
        for rule, pattern in self._patterns:
            if rule.name not in item.broken and pattern.found_in(window):
                item.broken.add(rule.name)
                yield Trip(rule, item_id)

    def _checks(self, item_id: str, item: _Item, end: int) -> Iterator[Finding]:
        item.checked = end
        for rule in self._functions:
            yield CheckDue(rule, item_id, item.text[:end])


def read_phrase(text: str) -> Phrase:
    """Return the words of a phrase, without upper and lower case and what stands between them.

    Raises ValueError for one without a word, or with too many.
    """
    words = tuple(_WORD.findall(text.casefold()))
    if not words:
        raise ValueError(f"there is no word in {text!r}")
    if len(words) > MAX_PHRASE_WORDS:
        raise ValueError(f"a phrase has at most {MAX_PHRASE_WORDS} words")
    return words
