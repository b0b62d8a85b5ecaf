"""Programs that look for open telephone systems, told by what they call themselves.

Only the careless ones: whoever edits the name passes here and is caught by what he does.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_NAMES: Final = (
    "friendly-scanner",
    "friendly-request",
    "iwar",
    "pplsip",
    "scansip",
    "sip-scan",
    "sipcli",
    "siparmyknife",
    "sipscan",
    "sipvicious",
    "sivus",
    "smap",
    "sundayddr",
    "vaxsipuseragent",
)

# Whole words, so that "smapphone" stays what it is; a version may follow.
_SCANNER = re.compile(
    rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, _NAMES))})(?![a-z])", re.IGNORECASE
)
_MAX_NAME_CHARS: Final = 256


@lru_cache(maxsize=256)
def _matches(text: str) -> bool:
    return _SCANNER.search(text) is not None


def is_scanner(user_agent: str) -> bool:
    """True for a User-Agent value, or display name, that scanners are known to send."""
    return _matches(user_agent[:_MAX_NAME_CHARS])
