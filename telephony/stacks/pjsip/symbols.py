"""Symbols of PJSIP's C library that pjsua2 does not wrap."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache
from typing import Any, Final

import pjsua2 as pj

DEFAULT_MAX_CALLS: Final = 4
"""PJSUA_MAX_CALLS of a build that nobody configured."""

MORE_THAN_ANY_BUILD: Final = 10_000


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


def max_calls_in_use() -> int:
    """Return how many calls the library that is open now has room for; 0 when none is."""
    count = getattr(c_library(), "pjsua_call_get_max_count", None)
    return int(count()) if count is not None else DEFAULT_MAX_CALLS


@cache
def max_calls_built_in() -> int:
    """Return how many calls PJSIP was compiled for (PJSUA_MAX_CALLS).

    A library says so only while it is open: without one it is opened for 10 ms, once.
    """
    return max_calls_in_use() or _ask_a_library()


def _ask_a_library() -> int:
    silence_before_start()
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.maxCalls = MORE_THAN_ANY_BUILD
    config.uaConfig.threadCnt = config.medConfig.threadCnt = 0
    config.logConfig.level = config.logConfig.consoleLevel = 0
    try:
        endpoint.libInit(config)
        return max_calls_in_use()
    finally:
        endpoint.libDestroy(pj.PJSUA_DESTROY_NO_NETWORK)
        # A second endpoint must not be made while this one lives.
        del endpoint
        gc.collect()


def silence_before_start() -> None:
    """Keep what the library says before its log is configured off our standard output."""
    set_level = getattr(c_library(), "pj_log_set_level", None)
    if set_level is not None:
        set_level(0)
