"""YAML whose values remember where they were written.

:func:`read_yaml` turns text into plain data (dicts with text keys, lists, text, numbers, booleans,
None) plus the place of every key and value, and collects all mistakes instead of stopping at the
first. It never raises on bad text. What YAML may do beyond that is refused, because it surprises:
duplicate keys, merge keys, tags, several documents, numbers that lose part of what was written
(``+15550100``, ``01234``, ``1_000``, ``0x1F``, ``12:30``). Keys are always the text as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from telephony.base.errors import Problem
from telephony.base.yaml_scalars import Scalar, read_scalar

Path = tuple[str | int, ...]

MAX_CHARACTERS = 4_000_000
MAX_NODES = 400_000
MAX_DEPTH = 32

# YAML 1.2 section 5.1: what a stream may contain.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value and its key stand; lines and columns count from 1.

    ``scalar`` is what was written when the value is a single word, number or text. ``block`` is
    ``|`` or ``>`` for a text that begins on the line after the value's own.
    """

    line: int
    column: int
    key_line: int
    key_column: int
    scalar: Scalar | None = None
    block: str = ""


@dataclass(frozen=True, slots=True)
class LocatedYaml:
    """The data of one file, the place of each part of it, and the mistakes found on the way.

    ``data`` is None when the text is empty or could not be read at all.
    """

    file: str
    data: Any = None
    places: Mapping[Path, Place] = field(default_factory=dict)
    aliases: Mapping[Path, Path] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def place(self, path: Path) -> Place:
        """Return the place of the longest part of ``path`` that was written.

        Below an alias that is the place at its anchor, where the text to change stands.
        """
        for end in range(len(path), -1, -1):
            head = path[:end]
            if head in self.places:
                return self.places[head]
            if head in self.aliases:
                return self.place(self.aliases[head] + path[end:])
        return Place(0, 0, 0, 0)

    def problem(self, path: Path, message: str, fix: str = "", *, at_key: bool = False) -> Problem:
        """Return a Problem at the value of ``path`` (or at its key)."""
        path = self.written(path)
        place = self.place(path)
        line, column = (place.line, place.column)
        if at_key:
            line, column = (place.key_line, place.key_column)
        return Problem(self.file, line, column, path_text(path), message, fix)

    def written(self, path: Path) -> Path:
        """Return the longest part of ``path`` that leads to something in the data."""
        value = self.data
        for index, step in enumerate(path):
            if isinstance(value, dict):
                known = step in value
            else:
                known = isinstance(value, list) and isinstance(step, int) and step < len(value)
            if not known:
                return path[:index]
            value = value[step]
        return path


def path_text(path: Path) -> str:
    """Return a path as people write it: ``contexts.main[2].when.called``."""
    out = ""
    for step in path:
        if isinstance(step, int):
            out += f"[{step}]"
        else:
            out += f".{step}" if out else step
    return out


def read_yaml(text: str | bytes, file: str) -> LocatedYaml:
    """Read one YAML document; mistakes are in the result's ``problems``."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            return LocatedYaml(file, problems=(_undecodable(error, file),))
    text = text.removeprefix("\ufeff")
    if refused := _refuse_text(text, file):
        return LocatedYaml(file, problems=(refused,))
    reader = _Reader(text, file)
    try:
        data = reader.read_document()
    except _UnreadableError as error:
        return LocatedYaml(file, problems=(*reader.problems, error.problem))
    except yaml.YAMLError as error:
        return LocatedYaml(file, problems=(*reader.problems, _syntax_problem(error, text, file)))
    return LocatedYaml(file, data, reader.places, reader.aliases, tuple(reader.problems))


def _undecodable(error: UnicodeDecodeError, file: str) -> Problem:
    before = error.object[: error.start]
    line = before.count(b"\n") + 1
    column = len(before) - (before.rfind(b"\n") + 1) + 1
    return Problem(file, line, column, "", "this byte is not UTF-8 text", "save it as UTF-8")


def _refuse_text(text: str, file: str) -> Problem | None:
    if len(text) > MAX_CHARACTERS:
        message = f"the file has {len(text)} characters; the limit is {MAX_CHARACTERS}"
        return Problem(file, 0, 0, "", message, "split it into several files")
    if found := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - (text.rfind("\n", 0, found.start()) + 1) + 1
        message = f"control character U+{ord(found.group()):04X}"
        return Problem(file, line, column, "", message, "remove it")
    return None


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(file, 0, 0, "", f"not YAML: {error}", "")
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    message = error.problem or "not YAML"
    if "nesting depth" in message:
        # The C scanner may give up before we do.
        message = f"nested deeper than {MAX_DEPTH} levels"
    elif error.context:
        since = f" (line {error.context_mark.line + 1})" if error.context_mark else ""
        message = f"{error.context}{since}: {message}"
    lines = text.splitlines() or [""]
    if line >= len(lines):
        line, column = len(lines) - 1, len(lines[-1])
    rest = lines[line][column:]
    return Problem(file, line + 1, column + 1, "", message, _syntax_fix(message, rest))


def _syntax_fix(message: str, rest: str) -> str:
    if "nested deeper" in message:
        return "flatten it"
    if rest.startswith("\t"):
        return "indent with spaces; YAML does not allow tabs there"
    if "mapping values are not allowed" in message:
        return "check the indentation, or put a value that contains ': ' in quotes"
    if "cannot start any token" in message:
        return f"put text that starts with {rest[:1]} in quotes"
    if "end of stream" in message:
        return "close the quote"
    if "unknown escape" in message:
        return "use single quotes, or write \\\\ for a backslash"
    if "undefined tag" in message:
        return "remove the tag"
    return "check the indentation, brackets and quotes around this place"


class _UnreadableError(Exception):
    """The text breaks a bound; nothing after it is looked at."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class _Anchor:
    path: Path
    start_nodes: int
    value: Any = None
    size_nodes: int = 0
    complete: bool = False


class _Reader:
    """Builds the data from PyYAML's events, so that depth and size are bounded on the way."""

    def __init__(self, text: str, file: str) -> None:
        # The C scanner is some twenty times faster; both give the same events and marks.
        loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
        self._events: Iterator[Any] = yaml.parse(text, Loader=loader)
        self._file = file
        self._nodes = 0
        self._anchors: dict[str, _Anchor] = {}
        self.places: dict[Path, Place] = {}
        self.aliases: dict[Path, Path] = {}
        self.problems: list[Problem] = []

    def read_document(self) -> Any:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        data = self._read_value(next(self._events), (), None)
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._report(after, (), "a second document starts here", "keep one document per file")
        return data

    def _read_value(self, event: Any, path: Path, key: Any) -> Any:
        """Return the value that starts at ``event``; ``key`` is the event of its key, if any."""
        self._count(event, path, 1)
        if isinstance(event, yaml.AliasEvent):
            return self._read_alias(event, path)
        key_mark = (key or event).start_mark
        mark = event.start_mark
        place = (mark.line + 1, mark.column + 1, key_mark.line + 1, key_mark.column + 1)
        anchor = self._open_anchor(event, path)
        if isinstance(event, yaml.ScalarEvent):
            value = self._read_scalar(event, path, place)
        else:
            self.places[path] = Place(*place)
            if event.tag is not None:
                self._report(event, path, f"tag {event.tag} is not supported", "remove the tag")
            mapping = isinstance(event, yaml.MappingStartEvent)
            value = self._read_mapping(path) if mapping else self._read_sequence(path)
        if anchor is not None:
            anchor.value = value
            anchor.size_nodes = self._nodes - anchor.start_nodes
            anchor.complete = True
        return value

    def _read_scalar(self, event: Any, path: Path, place: tuple[int, int, int, int]) -> Any:
        scalar = read_scalar(event.value, event.implicit[0], event.tag)
        self.places[path] = Place(*place, scalar, event.style if event.style in ("|", ">") else "")
        if scalar.message:
            self._report(event, path, scalar.message, scalar.fix)
        return scalar.value

    def _read_sequence(self, path: Path) -> list[Any]:
        out: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            out.append(self._read_value(event, (*path, len(out)), None))
        return out

    def _read_mapping(self, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._read_key(event, path)
            if key in out:
                first = self.places.get((*path, key))
                where = f" (first in line {first.key_line})" if first else ""
                self._report(event, (*path, key), f"key {key!r} is given twice{where}", "keep one")
                # The second value is read beside the first, whose places stay.
                self._read_value(next(self._events), (*path, f"{key} (again)"), event)
            else:
                out[key] = self._read_value(next(self._events), (*path, key), event)
        return out

    def _read_key(self, event: Any, path: Path) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            message = "a key must be plain text, not a list, a mapping or an alias"
            raise _UnreadableError(self._at(event, path, message, ""))
        key = str(event.value)
        if key == "<<" and event.implicit[0]:
            message = "merge keys (<<) are not supported"
            self._report(event, path, message, "write the keys out, or alias a whole value")
        return key

    def _open_anchor(self, event: Any, path: Path) -> _Anchor | None:
        if event.anchor is None:
            return None
        self._anchors[event.anchor] = anchor = _Anchor(path, self._nodes - 1)
        return anchor

    def _read_alias(self, event: Any, path: Path) -> Any:
        anchor = self._anchors.get(event.anchor)
        if anchor is None or not anchor.complete:
            message = f"alias *{event.anchor} has no anchor before it"
            self._report(event, path, message, f"write &{event.anchor} before the value meant")
            return None
        self._count(event, path, anchor.size_nodes)
        self.aliases[path] = anchor.path
        return anchor.value

    def _count(self, event: Any, path: Path, nodes: int) -> None:
        self._nodes += nodes
        if len(path) > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise _UnreadableError(self._at(event, path[:3], message, "flatten it"))
        if self._nodes > MAX_NODES:
            message = f"more than {MAX_NODES} values, aliases counted in full"
            raise _UnreadableError(self._at(event, path, message, "split the file"))

    def _at(self, event: Any, path: Path, message: str, fix: str) -> Problem:
        mark = event.start_mark
        key = path_text(path)
        return Problem(self._file, mark.line + 1, mark.column + 1, key, message, fix)

    def _report(self, event: Any, path: Path, message: str, fix: str) -> None:
        self.problems.append(self._at(event, path, message, fix))
