"""Symbols of PJSIP's C library that pjsua2 does not wrap."""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Final

import pjsua2 as pj

DEFAULT_MAX_CALLS: Final = 4
"""PJSUA_MAX_CALLS of a build that nobody configured."""


def c_library() -> ctypes.CDLL | None:
    """Return the shared library of pjsua2's extension module; None where it can't be opened."""
    load: Any = getattr(pj, "_load_bindings", None)
    if load is not None:
        load()
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if name.rpartition(".")[2] == "_pjsua2" and path:
            try:
                return ctypes.CDLL(path)
            except OSError:
                return None
    return None


def max_calls_built_in() -> int:
    """Return how many calls the library has room for, as it was compiled (PJSUA_MAX_CALLS)."""
    library = c_library()
    count = getattr(library, "pjsua_call_get_max_count", None)
    return int(count()) if count is not None else DEFAULT_MAX_CALLS


def silence_before_start() -> None:
    """Keep what the library says before its log is configured off our standard output."""
    set_level = getattr(c_library(), "pj_log_set_level", None)
    if set_level is not None:
        set_level(0)
