"""``telephony models``: which models the agents talk through, and whether they can be had."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from telephony.app.agents import LoadedAgent, load_agents
from telephony.app.model_features import feature_rows
from telephony.app.model_probe import probe
from telephony.app.model_reader import REHEARSAL
from telephony.app.settings_sources import find_config, load_settings
from telephony.app.stack_table import as_markdown, as_text
from telephony.base.errors import ConfigError
from telephony.base.interfaces import ModelUnavailable
from telephony.calls.model_source import ModelSource
from telephony.net.model_socket import ModelSocket

HELP = "list the models of the agents and their state, and what each API can do"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="config/telephony.yaml")
    parser.add_argument(
        "--probe", action="store_true", help="open a session with each model, as a call would"
    )
    parser.add_argument(
        "--features", action="store_true", help="print what each API can do, and nothing else"
    )
    parser.add_argument("--markdown", action="store_true", help="print --features as Markdown")
    parser.add_argument("--json", action="store_true", help="print the models as JSON")


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model of one agent. ``place`` is 0 for the one that takes the calls."""

    agent: str
    place: int
    api: str
    model: str
    server: str
    state: str
    ready: bool


def run(args: argparse.Namespace) -> int:
    """Return 0 when every model can be had as far as was looked, else 1."""
    if args.features or args.markdown:
        table = as_markdown if args.markdown else as_text
        print(table(feature_rows()))
        return 0
    loaded = load_settings(find_config(args.config, os.environ), os.environ)
    if loaded.problems:
        raise ConfigError(loaded.problems)
    agents, problems = load_agents(loaded.settings, os.environ)
    if problems:
        raise ConfigError(problems)
    lines = asyncio.run(_lines(agents, probing=args.probe))
    if args.json:
        print(json.dumps([asdict(line) for line in lines], indent=2))
    else:
        print("\n".join(_as_text(lines)) or "no agents: write config/agents/<name>.yaml")
    return 0 if all(line.ready for line in lines) else 1


async def _lines(agents: list[LoadedAgent], *, probing: bool) -> list[ModelLine]:
    lines = []
    for loaded in agents:
        if loaded.agent is None:
            lines.append(ModelLine(loaded.name, 0, "", "", "", _first_problem(loaded), False))
            continue
        for place, source in enumerate(loaded.agent.sources):
            state, ready = _state(loaded, source)
            if probing and ready and source.base_url != REHEARSAL:
                state, ready = await _probed(source)
            lines.append(
                ModelLine(
                    loaded.name,
                    place,
                    source.model.api,
                    source.model.model,
                    _server(source),
                    state,
                    ready,
                )
            )
    return lines


def _first_problem(loaded: LoadedAgent) -> str:
    more = len(loaded.problems) - 1
    rest = f" (and {more} more: telephony check)" if more else ""
    return f"{str(loaded.problems[0]).splitlines()[0]}{rest}"


def _state(loaded: LoadedAgent, source: ModelSource) -> tuple[str, bool]:
    if loaded.missing:
        return loaded.missing[0].message, False
    if source.base_url == REHEARSAL:
        return "built in", True
    return "configured", True


async def _probed(source: ModelSource) -> tuple[str, bool]:
    try:
        seconds = await probe(source, ModelSocket.connect, time.monotonic)
    except ModelUnavailable as error:
        return f"NOT TO BE HAD: {error.reason}", False
    return f"a session in {seconds * 1000:.0f} ms", True


def _server(source: ModelSource) -> str:
    if source.base_url == REHEARSAL:
        return "here"
    return urlsplit(source.base_url).netloc or "-"


def _as_text(lines: list[ModelLine]) -> Iterator[str]:
    cells = [
        (
            line.agent if line.place == 0 else f"  then {line.place}",
            line.api,
            line.model,
            line.server,
            line.state,
        )
        for line in lines
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(4)] if cells else []
    for row in cells:
        head = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield f"{head}  {row[4]}".rstrip()
