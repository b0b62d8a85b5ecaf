"""Reading configuration files: content, or the Problem that says why there is none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from telephony.base.errors import Problem


def read_file(path: Path) -> bytes | Problem:
    """Return the file's bytes, or a Problem when it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return Problem(display_name(path), 0, 0, "", f"cannot be read: {reason}", "")


def list_yaml(directory: Path, key: str) -> list[Path] | Problem:
    """Return the ``*.yaml`` files of a directory in order of name, hidden ones left out.

    ``key`` is the setting that names the directory.
    """
    try:
        names = sorted(entry.name for entry in directory.iterdir())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        fix = f"make the directory, or let {key} name another"
        return Problem(display_name(directory), 0, 0, key, f"cannot be read: {reason}", fix)
    return [directory / n for n in names if n.endswith((".yaml", ".yml")) and n[0] != "."]


def why_not_writable(directory: Path) -> str:
    """Return why no file can be made in a directory, or an empty text.

    A directory that is missing will be made: what counts then is the nearest one above it.
    """
    existing = next(d for d in (directory, *directory.parents) if os.path.exists(d))
    if not existing.is_dir():
        return f"{display_name(existing)} is not a directory"
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"{display_name(existing)} may not be written to by this user"
    return ""


def display_name(path: Path) -> str:
    """Return how a file is named in messages: relative to the working directory if below it."""
    absolute = Path(path).absolute()
    try:
        return str(absolute.relative_to(Path.cwd()))
    except ValueError:
        return str(absolute)


class NamedFile(Protocol):
    """What one file of a directory was read into; the name is for others to refer to it."""

    @property
    def name(self) -> str: ...

    @property
    def file(self) -> str: ...


Named = TypeVar("Named", bound=NamedFile)


def load_each(
    directory: Path, key: str, what: str, load: Callable[[Path], Named]
) -> tuple[list[Named], list[Problem]]:
    """Read every YAML file of ``directory``; a name that two of them have is a problem.

    ``key`` is the setting that names the directory, ``what`` its files hold, such as ``agent``.
    """
    listed = list_yaml(directory, key)
    if isinstance(listed, Problem):
        return [], [listed]
    loaded: dict[str, Named] = {}
    problems: list[Problem] = []
    for path in listed:
        one = load(path)
        first = loaded.setdefault(one.name, one)
        if first is not one:
            message = f"{what} {one.name!r} is defined already in {first.file}"
            problems.append(Problem(one.file, 0, 0, "name", message, "give it another name"))
    return list(loaded.values()), problems
