"""Errors that cross module boundaries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class TelephonyError(Exception):
    """Root of every error this package raises on purpose."""


class LocalProtocolError(TelephonyError):
    """Our own code asked a core for something its state does not allow."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration or dialplan file, with its place and its remedy.

    ``line`` and ``column`` count from 1; 0 means that the place is the whole file.
    ``key`` is the path to the value, such as ``contexts.main[2].when.called``.
    """

    file: str
    line: int
    column: int
    key: str
    message: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        key = f"{self.key}: " if self.key else ""
        fix = f"\n    fix: {self.fix}" if self.fix else ""
        return f"{place}: {key}{self.message}{fix}"


class ConfigError(TelephonyError):
    """Every problem found in the files that were read, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
