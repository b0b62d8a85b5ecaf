"""How long to wait before the next try, and when not to try."""

from __future__ import annotations

from telephony.base.ids import Ids

# What OpenAI's own SDK reconnects after; 1000 too, since a call that goes on still needs a model.
_RECONNECTABLE = frozenset({1000, 1001, 1005, 1006, 1011, 1012, 1013, 1015})


_ACCOUNT_CODES = frozenset(
    {
        "account_deactivated",
        "authentication_error",
        "billing_hard_limit_reached",
        "credit_balance_exhausted",
        "insufficient_quota",
        "invalid_api_key",
        "permission_error",
    }
)


class Backoff:
    """Delays that double from ``initial_s`` up to ``maximum_s``, ``attempts`` times.

    Each delay is drawn from the upper half of its step, so that calls that lost the model together
    don't come back together.
    """

    def __init__(self, initial_s: float, maximum_s: float, attempts: int, ids: Ids) -> None:
        self._initial_s = initial_s
        self._maximum_s = maximum_s
        self._attempts = attempts
        self._ids = ids
        self._made = 0

    @property
    def attempts_left(self) -> int:
        return self._attempts - self._made

    def next_delay_s(self) -> float | None:
        """Return the delay before the next try, or None after the last."""
        if self._made >= self._attempts:
            return None
        # 2.0 ** 1024 overflows; no delay is left to double long before.
        step_s = min(self._initial_s * 2.0 ** min(self._made, 64), self._maximum_s)
        self._made += 1
        return step_s * (0.5 + self._ids.uint16() / 0x1_0000 / 2)

    def reset(self) -> None:
        """Begin anew after a connection that held."""
        self._made = 0


def may_reconnect(close_code: int) -> bool:
    """Return whether a connection closed with this WebSocket code may do better next time.

    1007 and 1008 say that our messages are at fault; codes from 4000 on are the provider's own
    refusals.
    """
    return close_code in _RECONNECTABLE


def is_refusal_of_account(code: str) -> bool:
    """Return whether an error is about our key or account: no call does better with them now."""
    return code in _ACCOUNT_CODES
