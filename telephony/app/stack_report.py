"""Which signalling stacks are installed here, how much they carry, and which one to use."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Final

from telephony import __version__
from telephony.app.settings import Settings
from telephony.app.stack_checks import how_to_install, is_installed
from telephony.stacks.capabilities import CAPABILITIES, StackName

DISTRIBUTIONS: Final[dict[StackName, str]] = {"pjsip": "pjsua2-python", "pyvoip": "pyVoIP"}

PROBE_S = 20.0

# In a process of its own: a library that was built wrong may take its process with it.
_PROBE: Final = """\
import json
from telephony.stacks.pjsip.probe import probe
print(json.dumps(probe()))
"""


@dataclass(frozen=True, slots=True)
class StackState:
    """One stack on this machine. ``max_calls`` is what a process carries; None when unknown.

    ``problem`` says why it can't be used, ``fix`` what to do about it.
    """

    name: StackName
    installed: bool
    version: str = ""
    max_calls: int | None = None
    limited_by: str = ""
    problem: str = ""
    fix: str = ""

    @property
    def usable(self) -> bool:
        return self.installed and not self.problem


def stack_states(settings: Settings) -> list[StackState]:
    """Return the state of every stack; takes a moment, as libraries are tried."""
    return [_state(name, settings) for name in CAPABILITIES]


def _state(name: StackName, settings: Settings) -> StackState:
    most = settings.limits.max_calls
    if name == "native":
        return StackState(name, True, __version__, most, "limits.max_calls")
    if not is_installed(name):
        return StackState(name, False, problem="not installed", fix=how_to_install(name))
    version = _version(DISTRIBUTIONS[name])
    if name == "pyvoip":
        return StackState(name, True, version, most, "limits.max_calls")
    found = probe_pjsip()
    if "problem" in found:
        fix = how_to_install(name)
        return StackState(name, True, version, problem=str(found["problem"]), fix=fix)
    carried = int(found["max_calls"])
    limited_by = "PJSUA_MAX_CALLS of its build" if carried <= most else "limits.max_calls"
    text = f"{found['version']}, {found['openssl']}" if found["openssl"] else str(found["version"])
    return StackState(name, True, text, min(carried, most), limited_by)


def probe_pjsip() -> dict[str, Any]:
    """Return version, max_calls and openssl of PJSIP, or a problem."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=PROBE_S
        )
        found: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired:
        return {"problem": "its library hangs when it is loaded"}
    except ValueError:
        last = done.stderr.strip().rpartition("\n")[2]
        return {"problem": last or f"its library ends the process with status {done.returncode}"}
    return found


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "built here"


def advice(states: list[StackState], settings: Settings) -> str:
    """Return which stack this machine should use, and why."""
    by_name = {state.name: state for state in states}
    native, chosen = by_name["native"], by_name[settings.sip.stack]
    if not chosen.usable:
        return (
            f"The settings choose {chosen.name}, which can't be used: {chosen.problem}.\n"
            f"Use native, or: {chosen.fix}"
        )
    if chosen.name == "native":
        others = [f"{s.name} {s.max_calls}" for s in states if s.usable and s.name != "native"]
        compared = f"; here {' and '.join(others)}" if others else ""
        return (
            "Use native: it can do everything in the table, and a process carries "
            f"{native.max_calls} calls{compared}."
        )
    can = CAPABILITIES[chosen.name]
    if chosen.max_calls is not None and chosen.max_calls < settings.limits.max_calls:
        workers = -(-settings.limits.max_calls // chosen.max_calls)
        return (
            f"The settings choose {chosen.name}: {chosen.max_calls} calls a process. "
            f"limits.max_calls, {settings.limits.max_calls}, would take {workers} processes "
            "(--workers) of some 80 MB: use native, or lower it to what you need."
        )
    lost = "" if can.retransmission else "; what UDP loses is not sent again"
    return f"The settings choose {chosen.name}{lost}. Native can do more and costs less."
