"""The ``telephony`` command: one module of :mod:`telephony.app.commands` per subcommand.

A command's module has ``add_arguments(parser)``, ``run(args) -> exit status`` and, for the list of
commands, a text ``HELP``. Only the module of the command that was asked for is imported.
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from telephony.app import commands
from telephony.base.errors import ConfigError, TelephonyError

EXIT_INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""

EXIT_NOBODY_READS = 141
"""128 and the number of SIGPIPE, as shells have it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status. Raises SystemExit as argparse does."""
    try:
        try:
            return _run(list(sys.argv[1:] if argv is None else argv))
        finally:
            # What can't be written is found out here, not when the interpreter ends.
            print(end="", flush=True)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return EXIT_NOBODY_READS
    except OSError as error:
        _drop_output()
        with suppress(OSError):
            print(f"telephony: {error}", file=sys.stderr)
        return 1


def _drop_output() -> None:
    """Send what is still buffered to nowhere: the interpreter flushes once more at its end."""
    # An output that was closed, or never open, has nothing to drop.
    with suppress(OSError, ValueError, AttributeError):
        output = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, output)
        os.close(nowhere)


def _run(arguments: list[str]) -> int:
    parser = build_parser(arguments)
    # Tools of agents may lie in the working directory, which an installed script doesn't search.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    parsed = parser.parse_args(arguments)
    if parsed.command is None:
        parser.print_help()
        return 2
    try:
        status: int = parsed.run(parsed)
    except ConfigError as error:
        print_problems(error)
        return 1
    except TelephonyError as error:
        print(f"telephony {parsed.command}: {error}", file=sys.stderr)
        return 1
    return status


def print_problems(error: ConfigError) -> None:
    for problem in error.problems:
        print(problem, file=sys.stderr)


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; of all commands only the one in ``arguments`` has its options."""
    parser = argparse.ArgumentParser(
        prog="telephony",
        description="A SIP voice bot: answers calls and lets callers talk to a realtime model.",
        epilog="'telephony COMMAND --help' tells the options of a command.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for name in command_names():
        summary = command_help(name)
        subparser = subparsers.add_parser(name, help=summary, description=f"{summary}.")
        if name == asked:
            module = _imported(f"{commands.__name__}.{name}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def _imported(name: str) -> ModuleType:
    """Import a module without collecting garbage: hardly any of what it makes is."""
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.enable()


def command_names() -> list[str]:
    return sorted(found.name for found in pkgutil.iter_modules(commands.__path__))


def command_help(name: str) -> str:
    """Return the ``HELP`` of a command without importing it."""
    spec = importlib.util.find_spec(f"{commands.__name__}.{name}")
    if spec is None or spec.origin is None:
        return ""
    for node in ast.parse(Path(spec.origin).read_bytes()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HELP":
            return str(ast.literal_eval(node.value))
    return ""


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from telephony import __version__

        print(f"telephony {__version__}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
