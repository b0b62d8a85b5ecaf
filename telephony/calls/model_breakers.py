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
    trips: int = 0
    open_until: float = 0.0


class ModelBreakers:
    """One breaker for each model of each agent of the process.

    A refusal opens it, for twice as long each time. When its time is over calls try again; a
    session that gets ready closes it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._breakers: dict[int, _Breaker] = {}

    def allows(self, source: ModelSource) -> bool:
        breaker = self._breakers.get(id(source))
        return breaker is None or self._clock() >= breaker.open_until

    def closed(self, source: ModelSource) -> None:
        """A session got ready."""
        self._breakers.pop(id(source), None)

    def refused(self, source: ModelSource) -> None:
        """The model refused us, and would refuse the next call too.

        Of calls that are refused together one counts: all were under way when the first was.
        """
        if not self.allows(source):
            return
        # Holding the source keeps its id from being another's.
        breaker = self._breakers.setdefault(id(source), _Breaker(source))
        breaker.open_until = self._clock() + REFUSED_S * min(2**breaker.trips, _LONGEST)
        breaker.trips += 1

    def open_breakers(self) -> Iterator[tuple[ModelSource, float]]:
        """Yield every model that is left alone, and for how many seconds more."""
        now = self._clock()
        for breaker in self._breakers.values():
            if breaker.open_until > now:
                yield breaker.source, breaker.open_until - now
