"""Keeps calls from models that refused us a moment ago."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from telephony.base.interfaces import Clock
from telephony.calls.model_source import ModelSource

REFUSED_S = 30.0
"""How long a model that refused us (a key, an account, a quota) is left alone at first."""
_LONGEST = 16


@dataclass(slots=True)
class _Breaker:
    source: ModelSource
    of_account: bool
    trips: int = 0
    open_until: float = 0.0

    def holds_for(self, source: ModelSource) -> bool:
        if self.of_account:
            return self.source.account == source.account
        return self.source == source


class ModelBreakers:
    """One breaker for each account that was refused, and for each model as it is configured.

    What is refused of an account (a key, a quota) is refused in every language, and to every agent
    that has the same model there. Any other refusal may be due to a voice or a setting: it holds
    for the models that have the same ones.

    A refusal opens a breaker, for twice as long each time. When its time is over calls try again;
    a session that gets ready closes it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._breakers: list[_Breaker] = []

    def allows(self, source: ModelSource) -> bool:
        now = self._clock()
        return not any(b.open_until > now and b.holds_for(source) for b in self._breakers)

    def closed(self, source: ModelSource) -> None:
        """A session got ready."""
        if self._breakers:
            self._breakers = [b for b in self._breakers if not b.holds_for(source)]

    def refused(self, source: ModelSource, *, of_account: bool) -> None:
        """The model refused us, and would refuse the next call too.

        Of calls that are refused together one counts: all were under way when the first was.
        """
        if not self.allows(source):
            return
        breaker = self._of(source, of_account)
        breaker.open_until = self._clock() + REFUSED_S * min(2**breaker.trips, _LONGEST)
        breaker.trips += 1

    def _of(self, source: ModelSource, of_account: bool) -> _Breaker:
        for breaker in self._breakers:
            if breaker.of_account == of_account and breaker.holds_for(source):
                return breaker
        breaker = _Breaker(source, of_account)
        self._breakers.append(breaker)
        return breaker

    def open_breakers(self) -> Iterator[tuple[ModelSource, float]]:
        """Yield every model that is left alone, and for how many seconds more."""
        now = self._clock()
        for breaker in self._breakers:
            if breaker.open_until > now:
                yield breaker.source, breaker.open_until - now
