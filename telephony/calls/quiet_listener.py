"""A leg's listener that lets nothing in: for legs that are beside a call, or behind it."""

from __future__ import annotations

from telephony.base.interfaces import Leg


class QuietListener:
    """Ignores what a leg reports. Nobody can take its place, or send it anywhere."""

    def __init__(self, leg: Leg | None = None) -> None:
        self.leg = leg

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        """Nobody watches it ring."""

    def leg_confirmed(self) -> None:
        """Nobody waits for it."""

    def leg_held(self, held: bool) -> None:
        """Nobody talks on it."""

    def digit_received(self, digit: str, held: bool = False) -> None:
        """Nobody asked for digits."""

    def digit_finished(self, digit: str, duration_ms: int) -> None:
        """Nobody asked for digits."""

    def transfer_progressed(self, status: int, reason: str) -> None:
        """It is not transferred."""

    def transfer_finished(self, status: int, reason: str, refused: bool = False) -> None:
        """It is not transferred."""

    def refer_received(self, target_uri: str, referred_by: str) -> None:
        if self.leg is not None:
            self.leg.answer_refer(603)

    def leg_replaced(self, leg: Leg) -> None:
        # RFC 3891 section 3: what is given up already is declined.
        refuse(leg, 603)

    def leg_ended(self, ended_by: str, cause: str, status: int) -> None:
        """Whoever let go of it knew."""


def refuse(leg: Leg, status: int, reason: str = "") -> None:
    """Refuse an inbound leg and let go of it."""
    try:
        leg.reject(status, reason)
    finally:
        leg.close()


def hang_up(leg: Leg, cause: str) -> None:
    """End a leg and let go of it."""
    try:
        leg.hangup(cause)
    finally:
        leg.close()
