"""How this API refuses: it has no error messages, it closes the connection and says why."""

from __future__ import annotations

from typing import NoReturn

INVALID_ARGUMENT = 1007
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011


class RefusedError(Exception):
    """Ends the connection with ``close_code``; the text is the close frame's reason."""

    def __init__(self, close_code: int, reason: str) -> None:
        self.close_code = close_code
        super().__init__(reason)


def invalid(reason: str) -> NoReturn:
    raise RefusedError(INVALID_ARGUMENT, reason)
