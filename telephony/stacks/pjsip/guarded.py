"""Nothing escapes from a callback of PJSIP: a Python exception there ends the process."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog

log = structlog.get_logger()


def guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Log what goes wrong in ``callback`` instead of raising it."""

    @wraps(callback)
    def guard(*arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception:
            log.exception("pjsip.callback_failed", callback=callback.__name__)

    return guard
