"""``telephony doctor``: what this machine has, and which signalling stack it should use."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import os
import platform
import resource
from pathlib import Path
from typing import Any

from telephony import __version__
from telephony.app.open_files import CONNECTIONS, SOCKETS_PER_CALL
from telephony.app.settings import Settings
from telephony.app.settings_sources import find_config, load_settings
from telephony.app.stack_report import StackState, advice, stack_states
from telephony.app.stack_table import as_text, capability_rows
from telephony.base.errors import ConfigError
from telephony.stacks.capabilities import CAPABILITIES

HELP = "tell which signalling stacks this machine has, and which one to use"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="config/telephony.yaml")
    parser.add_argument("--capabilities", action="store_true", help="what each stack can do")
    parser.add_argument("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    loaded = load_settings(find_config(args.config, os.environ), os.environ)
    if loaded.problems:
        raise ConfigError(loaded.problems)
    settings = loaded.settings
    states = stack_states(settings)
    chosen = next(state for state in states if state.name == settings.sip.stack)
    if args.json:
        print(json.dumps(_report(settings, states), indent=2))
    else:
        _print(settings, states, with_capabilities=args.capabilities)
    return 0 if chosen.usable else 1


def machine(settings: Settings) -> list[tuple[str, str]]:
    """Return what matters of the machine, each with a word on it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.limits.max_calls * SOCKETS_PER_CALL + CONNECTIONS
    allowed = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    enough = hard == resource.RLIM_INFINITY or hard >= wanted
    files = f"{soft}, at most {allowed}; {settings.limits.max_calls} calls want {wanted}"
    uvloop = importlib.util.find_spec("uvloop") is not None
    return [
        ("telephony", __version__),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("cores", str(len(os.sched_getaffinity(0)))),
        ("event loop", "uvloop" if uvloop else "asyncio's own: pip install uvloop costs less CPU"),
        ("open files", files if enough else f"{files}: raise LimitNOFILE or ulimit -n"),
    ]


def _rows(states: list[StackState]) -> list[list[str]]:
    rows = [["stack", "installed", "version", "calls a process", "speaks"]]
    for state in states:
        speaks = ", ".join(CAPABILITIES[state.name].transports).upper()
        calls = f"{state.max_calls} ({state.limited_by})" if state.max_calls is not None else "-"
        installed = "yes" if state.usable else "broken" if state.installed else "no"
        rows.append([state.name, installed, state.version or "-", calls, speaks])
    return rows


def _print(settings: Settings, states: list[StackState], *, with_capabilities: bool) -> None:
    for name, text in machine(settings):
        print(f"{name:<11} {text}")
    print(f"\n{as_text(_rows(states))}")
    for state in states:
        if state.problem:
            print(f"\n{state.name}: {state.problem}\n    fix: {state.fix}")
    if with_capabilities:
        print(f"\n{as_text(capability_rows())}")
    print(f"\n{advice(states, settings)}")


def _report(settings: Settings, states: list[StackState]) -> dict[str, Any]:
    return {
        "machine": dict(machine(settings)),
        "stacks": [dataclasses.asdict(state) for state in states],
        "chosen": settings.sip.stack,
        "advice": advice(states, settings),
    }
