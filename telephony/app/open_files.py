"""Room for as many sockets as the calls and connections of the bot may need."""

from __future__ import annotations

import resource

import structlog

log = structlog.get_logger()

SOCKETS_PER_CALL = 4
"""RTP, RTCP, the model, and a recording or a look-up."""

CONNECTIONS = 3000
"""SIP streams, HTTP, logs; more than the streams' own limit."""


def allow_open_files(max_calls: int) -> None:
    """Raise the soft limit of open files as far as the system lets us, and say if it is short.

    Most systems give a process 1024, and let it have far more if it asks.
    """
    wanted = max_calls * SOCKETS_PER_CALL + CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, soft), hard))
    if allowed < wanted:
        fix = "raise LimitNOFILE or ulimit -n"
        log.warning("open_files.limited", wanted=wanted, allowed=allowed, fix=fix)
