"""Which way the audio flows, from either side's view (RFC 3264 section 6.1)."""

from __future__ import annotations

from telephony.sdp.description import Direction


def answer_direction(offered: Direction, wanted: Direction) -> Direction:
    """Return our direction for a stream that the peer offers (RFC 3264 section 6.1)."""
    send = offered in ("sendrecv", "recvonly") and wanted in ("sendrecv", "sendonly")
    receive = offered in ("sendrecv", "sendonly") and wanted in ("sendrecv", "recvonly")
    if send:
        return "sendrecv" if receive else "sendonly"
    return "recvonly" if receive else "inactive"


def muted(direction: Direction) -> Direction:
    """Return ``direction`` without sending."""
    return "recvonly" if direction in ("sendrecv", "recvonly") else "inactive"
