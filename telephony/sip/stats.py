"""Counters of a user agent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class UserAgentStats:
    """Plain counters since the start.

    ``malformed`` counts by reason (the reasons are constants, so the set is bounded), ``refused``
    by the status the user agent answered on its own. ``challenges_refused`` are those that ended a
    request; ``provisionals_ignored`` are reliable ones repeated or out of order;
    ``switches_refused`` counts large requests that went by datagram in the end.
    """

    messages_received: int = 0
    keepalives_received: int = 0
    requests_received: int = 0
    responses_received: int = 0
    retransmissions_received: int = 0
    retransmissions_sent: int = 0
    messages_sent: int = 0
    malformed: Counter[str] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    responses_unmatched: int = 0
    acks_unmatched: int = 0
    acks_absorbed: int = 0
    acks_missing: int = 0
    pracks_missing: int = 0
    sessions_refreshed: int = 0
    sessions_expired: int = 0
    transactions_timed_out: int = 0
    transports_failed: int = 0
    extra_forks_ended: int = 0
    challenges_answered: int = 0
    challenges_refused: int = 0
    provisionals_ignored: int = 0
    pracks_refused: int = 0
    switches_refused: int = 0
    commands_too_late: int = 0
