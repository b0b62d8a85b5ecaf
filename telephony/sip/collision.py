"""How long to wait after a collision of offers (RFC 3261 section 14.1)."""

from __future__ import annotations

from telephony.base.ids import Ids


def collision_delay_s(owns_call_id: bool, ids: Ids) -> float:
    """Return 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other side.

    In steps of 10 ms, so that both sides do not collide again.
    """
    draw = ids.uint16()
    return (210 + draw % 191 if owns_call_id else draw % 201) / 100
