"""INVITEs that come once more when PJSIP has forgotten their transaction.

RFC 6026 keeps the transaction of an INVITE for 64 times T1 after a 2xx, to absorb what the network
delayed or doubled. PJSIP lets it go with the ACK, and takes a copy that comes later for a new call.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from telephony.sip.flow import Address
from telephony.sip.message import IncomingRequest, ServerKey

REMEMBERED_S: Final = 32.0
"""64 times T1: timer L of RFC 6026."""

MOST_REMEMBERED: Final = 4096

Key = tuple[Address, ServerKey, ServerKey]


class Repeats:
    """The INVITEs of the last 32 seconds, oldest first."""

    def __init__(self) -> None:
        self._seen_at: OrderedDict[Key, float] = OrderedDict()

    def is_repeat(self, request: IncomingRequest, now: float) -> bool:
        """Tell whether a copy of ``request`` came before; it is remembered if not."""
        self._forget(now)
        # From elsewhere it is no copy, or a stranger could keep a call away.
        key = (request.flow.remote, request.transaction_key("INVITE"), request.merge_key)
        if key in self._seen_at:
            return True
        self._seen_at[key] = now
        return False

    def _forget(self, now: float) -> None:
        seen_at = self._seen_at
        while seen_at:
            oldest = next(iter(seen_at.values()))
            if now - oldest < REMEMBERED_S and len(seen_at) < MOST_REMEMBERED:
                return
            seen_at.popitem(last=False)
