"""Secrets in configuration files: only references such as ``${OPENAI_API_KEY}``, never values."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def referred_variable(text: str) -> str | None:
    """Return the variable that ``text`` refers to, or None when it is no reference."""
    found = _REFERENCE.fullmatch(text.strip())
    return found.group(1) if found else None


def look_up(variable: str, environ: Mapping[str, str]) -> str | None:
    """Return the variable's value without surrounding blanks; None when unset or empty."""
    return environ.get(variable, "").strip() or None
