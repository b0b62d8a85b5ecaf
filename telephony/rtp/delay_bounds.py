"""How far a delay may stray from its target, and when speech is cut or stretched to bring it back.

A change of the delay is heard less the quieter it is where it happens, and the rarer. So there
are two bands. Outside the inner one a quiet frame may be dropped or preceded by a fill; outside the
outer one speech is to be stretched by pitch periods: at once before nothing is left, and when no
pause has come for a while if it is too much.
"""

from __future__ import annotations

_SLACK_MS = 10
_WHOLE_SLACK_MS = 2
_STRETCH_SLACK_MS = 20
_STRETCH_SHARE = 0.25
_SOON_SURPLUS_MS = 5
_QUIET_SHRINK_S = 0.1
_STRETCH_AFTER_S = 0.75
_CALM_SHRINK_S = 10.0
_CALM_STRETCH_S = 15.0
_LOUD_SHRINK_S = 1.0
_UNBROKEN_S = 0.1
_FILLED_MAX_MS = 40
_LOSSY_REVIEWS = 16
_MOST_LATE_SHARE = 0.5


class DelayBounds:
    """Delays in samples. From ``floor`` to ``ceiling`` nothing is done.

    ``target`` is the delay to begin with, and to come back to.
    """

    __slots__ = (
        "_changed_at",
        "_filled_max",
        "_lossy_reviews",
        "_near_at",
        "_over_at",
        "_over_since",
        "_slack",
        "_soon",
        "_stretch_slack",
        "_whole_slack",
        "ceiling",
        "floor",
        "stretch_floor",
        "target",
    )

    def __init__(self, rate_hz: int) -> None:
        per_ms = rate_hz / 1000
        self._slack = _SLACK_MS * per_ms
        self._whole_slack = _WHOLE_SLACK_MS * per_ms
        self._stretch_slack = _STRETCH_SLACK_MS * per_ms
        self._filled_max = _FILLED_MAX_MS * per_ms
        self._soon = _SOON_SURPLUS_MS * per_ms
        self._changed_at = 0.0
        self._over_since = self._over_at = self._near_at = 0.0
        self._lossy_reviews = 0
        self.follow(0.0, 0, 0)

    def lost(self) -> None:
        """A packet was given up: losses are to be expected for some 10 s."""
        self._lossy_reviews = _LOSSY_REVIEWS

    def reviewed(self) -> None:
        """Some time has passed: 32 packets."""
        if self._lossy_reviews:
            self._lossy_reviews -= 1

    def follow(self, target: float, frame: int, pull: int) -> None:
        """Take a new target; ``frame`` is a packet's duration, ``pull`` the time between pops."""
        if self._lossy_reviews:
            # The packet after a lost one is there at its turn, and tells that it was lost, though
            # it comes as late as most do. Short ones are taken before their turn.
            next_one = max(frame, pull) + target * _MOST_LATE_SHARE
            target = max(target, next_one) + max(pull - frame, 0)
        self.target = target
        self.floor = max(target - self._slack, target / 2)
        # Before nothing at all is left: what runs dry is heard more than what is stretched.
        self.stretch_floor = max(target - self._stretch_slack, target * _STRETCH_SHARE)
        # A frame more than needed may go, also where the ticks keep the delay close to the target.
        self.ceiling = target + max(frame, pull) - self._whole_slack

    def changed(self, now: float) -> None:
        """The delay has just changed: let it be for a while."""
        self._changed_at = now

    def excess(self, delay: float, now: float) -> int:
        """Return by how much to shorten speech (over 0) or to lengthen it (under 0)."""
        surplus = delay - self.ceiling
        if surplus <= 0:
            return min(int(delay - self.stretch_floor), 0)
        wait_s = _STRETCH_AFTER_S if surplus > self._stretch_slack else _CALM_STRETCH_S
        return int(surplus) + 1 if self._lasts_s(now) >= wait_s else 0

    def may_drop(self, delay: float, quiet: bool, now: float) -> bool:
        """Tell whether to drop the next frame, for a ``delay`` over the ceiling.

        Quiet frames go at once when the surplus is much, one in 100 ms when it is worth it, else
        when the delay was the same for 10 s. Others go when nobody stretched the speech for a
        second.
        """
        if now - self._over_at > _UNBROKEN_S:
            self._over_since = now
        self._over_at = now
        surplus = delay - self.ceiling
        if surplus <= self._stretch_slack:
            self._near_at = now
        if not quiet:
            return min(self._lasts_s(now), now - self._near_at) >= _LOUD_SHRINK_S
        if surplus > self._stretch_slack:
            return True
        wait_s = _QUIET_SHRINK_S if surplus > self._soon else _CALM_SHRINK_S
        return now - self._changed_at >= wait_s

    def _lasts_s(self, now: float) -> float:
        """Return how long the delay has been over the ceiling without a change."""
        return now - max(self._over_since, self._changed_at)

    def frames_to_skip(self, filled_samples: int, delay: float, frame_samples: int) -> int:
        """Return how many late frames to leave out because what was filled in stands for them.

        As long as the delay stays long enough, and only after a short wait: what was made up for
        longer has faded, and the words are worth the delay.
        """
        if filled_samples > self._filled_max:
            return 0
        spare = int(delay - self.stretch_floor) // frame_samples
        return max(min(filled_samples // frame_samples, spare), 0)
