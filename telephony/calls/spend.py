"""What models cost, by call and by day, and where that has to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from telephony.realtime.events import Usage
from telephony.realtime.prices import Price, cost

Today = Callable[[], date]


@dataclass(frozen=True, slots=True)
class SpendLimits:
    """US dollars; None is no limit. ``day_usd`` is that of the process, and its day is UTC's."""

    call_usd: float | None = None
    day_usd: float | None = None


class SpendLedger:
    """The sum of a day, over all calls of the process; a new day begins at nothing."""

    def __init__(self, limits: SpendLimits, today: Today) -> None:
        self.limits = limits
        self._today = today
        self._day = today()
        self._spent_usd = 0.0

    @property
    def spent_usd(self) -> float:
        """What was spent today."""
        self._turn_page()
        return self._spent_usd

    @property
    def exhausted(self) -> bool:
        """Whether the day's limit is reached: no call may begin."""
        limit_usd = self.limits.day_usd
        return limit_usd is not None and self.spent_usd >= limit_usd

    def add(self, usd: float) -> None:
        self._turn_page()
        self._spent_usd += usd

    def _turn_page(self) -> None:
        today = self._today()
        if today != self._day:
            self._day, self._spent_usd = today, 0.0


class CallSpend:
    """The sum of one call. ``unpriced`` counts usage of which nobody knows what it costs."""

    def __init__(self, ledger: SpendLedger, limit_usd: float | None = None) -> None:
        self.usd = 0.0
        self.unpriced = 0
        self._ledger = ledger
        self._told = False
        self.follow(limit_usd)

    def follow(self, limit_usd: float | None) -> None:
        """Take the limit of the agent in charge; None is that of all calls."""
        self.limit_usd = self._ledger.limits.call_usd if limit_usd is None else limit_usd

    def add(self, usage: Usage, price: Price | None) -> bool:
        """Take note of a use; returns True once, when it reaches the call's limit."""
        usd = cost(usage, price)
        if usd is None:
            self.unpriced += 1
            return False
        self.usd += usd
        self._ledger.add(usd)
        if self._told or self.limit_usd is None or self.usd < self.limit_usd:
            return False
        self._told = True
        return True
