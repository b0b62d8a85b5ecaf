"""libopus, found and declared.

It comes with the PyPI package ``opuslib-next-bundled`` or from the system (Debian: ``libopus0``).
The package's Python code is not used: it makes new buffers for every frame.

The GIL is kept while libopus works. A frame takes less time than another thread may hold a GIL
that was given away, and every call would wait for it.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

_BUNDLE = "opuslib_next"
_FILE_NAMES = ("libopus.so", "libopus.dylib", "opus.dll")
_SYSTEM_NAMES = ("libopus.so.0", "libopus.0.dylib", "opus.dll")


@lru_cache(maxsize=1)
def library() -> ctypes.PyDLL | None:
    """Return libopus with its functions declared; None when it is not installed."""
    for name in (*_bundled(), *_SYSTEM_NAMES):
        try:
            found = ctypes.PyDLL(name)
        except OSError:
            continue
        _declare(found)
        return found
    return None


def _bundled() -> list[str]:
    spec = find_spec(_BUNDLE)
    folders = spec.submodule_search_locations if spec is not None else None
    native = [Path(folder) / "_native" for folder in folders or ()]
    paths = [folder / name for folder in native for name in _FILE_NAMES]
    return [str(path) for path in paths if path.exists()]


def _declare(opus: ctypes.PyDLL) -> None:
    state, size, samples = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int
    opus.opus_encoder_get_size.argtypes = [ctypes.c_int]
    opus.opus_encoder_init.argtypes = [state, size, ctypes.c_int, ctypes.c_int]
    opus.opus_encode.argtypes = [state, ctypes.c_char_p, samples, ctypes.c_void_p, size]
    opus.opus_encode.restype = size
    # The value is one of a variable number of arguments, which some ABIs pass another way.
    opus.opus_encoder_ctl.argtypes = [state, ctypes.c_int]
    opus.opus_decoder_get_size.argtypes = [ctypes.c_int]
    opus.opus_decoder_init.argtypes = [state, size, ctypes.c_int]
    opus.opus_decode.argtypes = [
        state,
        ctypes.c_char_p,
        size,
        ctypes.c_void_p,
        samples,
        ctypes.c_int,
    ]
