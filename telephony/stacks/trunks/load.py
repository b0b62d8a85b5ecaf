"""How many calls a trunk carries, and how fast they come."""

from __future__ import annotations

from typing import Literal, Protocol

from telephony.stacks.trunk import TrunkLimits

CallDirection = Literal["inbound", "outbound"]


class HasEnded(Protocol):
    """What is known of a leg here."""

    @property
    def ended(self) -> bool: ...


class CallSlot:
    """One call's place; free again once its leg has ended, or when it is released."""

    __slots__ = ("direction", "leg", "released")

    def __init__(self, direction: CallDirection) -> None:
        self.direction = direction
        self.leg: HasEnded | None = None
        self.released = False

    @property
    def taken(self) -> bool:
        return not self.released and (self.leg is None or not self.leg.ended)

    def release(self) -> None:
        """Give the place back before the leg ends. Idempotent."""
        self.released = True


class TrunkLoad:
    """Counts the calls of one trunk against its limits.

    Legs are asked whether they have ended when somebody looks; nobody has to report it.
    """

    def __init__(self, limits: TrunkLimits) -> None:
        self.limits = limits
        self._slots: list[CallSlot] = []
        self._tokens = self._burst
        self._filled_at: float | None = None

    @property
    def _burst(self) -> float:
        # One second's worth at once: carriers count calls in windows of a second.
        return max(1.0, self.limits.calls_per_s or 1.0)

    def active(self, direction: CallDirection | None = None) -> int:
        """Return how many calls there are, of one direction or of both."""
        self._slots = [slot for slot in self._slots if slot.taken]
        return sum(direction in (None, slot.direction) for slot in self._slots)

    def take(self, direction: CallDirection, now: float) -> CallSlot | None:
        """Return a place for one more call, None when a limit forbids it."""
        limits = self.limits
        own = limits.max_inbound if direction == "inbound" else limits.max_outbound
        if own is not None and self.active(direction) >= own:
            return None
        if limits.max_calls is not None and self.active() >= limits.max_calls:
            return None
        if not self._take_token(now):
            return None
        slot = CallSlot(direction)
        self._slots.append(slot)
        return slot

    def _take_token(self, now: float) -> bool:
        rate = self.limits.calls_per_s
        if rate is None:
            return True
        if self._filled_at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
