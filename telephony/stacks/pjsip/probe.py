"""What PJSIP says of itself: for a process that does nothing else."""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path
from typing import Any

import pjsua2 as pj

from telephony.stacks.pjsip.symbols import max_calls_built_in, silence_before_start


def probe() -> dict[str, Any]:
    """Return ``version``, ``max_calls`` and ``openssl``, "" where that is not known."""
    silence_before_start()
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    version = str(endpoint.libVersion().full)
    endpoint.libDestroy()
    del endpoint
    gc.collect()
    return {"version": version, "max_calls": max_calls_built_in(), "openssl": openssl_version()}


def openssl_version() -> str:
    """Return what the library of TLS that PJSIP has loaded calls itself."""
    for path in _libraries():
        library = ctypes.CDLL(path)
        for name in ("OpenSSL_version", "SSLeay_version"):
            function = getattr(library, name, None)
            if function is not None:
                function.restype = ctypes.c_char_p
                return " ".join(function(0).decode(errors="replace").split()[:2])
    return ""


def _libraries() -> list[str]:
    """Return the libcrypto that lies with the module, as wheels have it."""
    module = sys.modules[pj.__name__].__file__
    if module is None:
        return []
    places = (Path(module).parent, Path(module).parent.parent / "pjsua2_python.libs")
    return [str(path) for place in places for path in sorted(place.glob("libcrypto*"))]
