"""Requests of ours that come back to us.

Max-Forwards ends a loop between proxies (RFC 3261 section 16.3), but not one through a user agent:
a call that we place anew whenever it arrives starts each round at 70.
"""

from __future__ import annotations

from collections.abc import Container

from telephony.sip.message import IncomingRequest
from telephony.sip.values import read_via


def came_back(request: IncomingRequest, ours: Container[tuple[str, str]]) -> bool:
    """Whether ``request`` passed through us as a request that still waits for its answer.

    ``ours`` holds branch and method of our client transactions. Its branch proves whose a Via is:
    the address in it may be a private one that the peer has as well.
    """
    vias = (read_via(value) for value in request.via_lines)
    return any(via is not None and (via.branch, request.method) in ours for via in vias)
