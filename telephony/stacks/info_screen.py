"""Which INFO is taken: one that says a key."""

from __future__ import annotations

from telephony.dtmf.sip_info import PLAIN, RELAY, is_dtmf, says_signal
from telephony.sip.screening import Refusal

_ACCEPT = (("Accept", f"{RELAY}, {PLAIN}"),)
_NO_KEY = (("Warning", '399 telephony "no such key"'),)


def screen_info(content_type: str, body: bytes) -> Refusal | None:
    """Return why an INFO can't be taken; None for one without a body too, which asks nothing.

    A body of another kind gets 415 (RFC 3261 section 8.2.3), one without a key 400 (21.4.1).
    """
    if not body:
        return None
    if not is_dtmf(content_type):
        return Refusal(415, _ACCEPT)
    return None if says_signal(content_type, body) else Refusal(400, _NO_KEY)
