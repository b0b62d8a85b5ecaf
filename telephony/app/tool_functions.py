"""Finds the Python functions that an agent's file names as ``package.module:function``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from telephony.base.errors import LocalProtocolError
from telephony.base.schema_problems import did_you_mean
from telephony.calls.recording_tool import RECORDING_TOOLS
from telephony.realtime.tools import Tool, tool_from_function

_FUNCTION = "package.module:function"
_BUILT_IN = ("hangup", "send_digits", *RECORDING_TOOLS)


def load_tool(name: str, timeout_s: float) -> Tool:
    """Import and describe a function; ValueError carries message and remedy."""
    near = get_close_matches(name, _BUILT_IN, n=1)
    fix = f"did you mean {near[0]}?" if near else f"write {_FUNCTION}, or {', '.join(_BUILT_IN)}"
    function = find_function(name, fix)
    try:
        return tool_from_function(function, timeout_s=timeout_s)
    except LocalProtocolError as error:
        raise ValueError(str(error)) from None


def find_function(name: str, fix: str) -> Callable[..., Any]:
    """Import a function; ValueError carries message and remedy, ``fix`` for what is no name."""
    module_name, colon, function_name = name.partition(":")
    if not colon or not module_name or not function_name:
        raise ValueError(f"{name!r} names no function\nfix: {fix}")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        fix = "install it, or start in the directory it lies in"
        raise ValueError(f"cannot import {module_name}: {error}\nfix: {fix}") from None
    except (Exception, SystemExit) as error:
        # The module is a user's code: whatever it raises is a mistake to report.
        kind = type(error).__name__
        raise ValueError(f"importing {module_name} raised {kind}: {error}") from None
    function: Callable[..., Any] | None = getattr(module, function_name, None)
    if not callable(function):
        known = [n for n, value in vars(module).items() if callable(value) and n[0] != "_"]
        fix = did_you_mean(function_name, known)
        raise ValueError(f"{module_name} has no function {function_name!r}\nfix: {fix}")
    return function
