"""How trunks are doing, as JSON for machines and as lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from telephony.stacks.trunk import Trunk
from telephony.stacks.trunks.status import TrunkStatus


def report(trunk: Trunk, status: TrunkStatus, now: float) -> dict[str, Any]:
    """Return one trunk's state with plain values; no secret is in it."""
    remaining_s = max(0, round(status.registered_until - now)) if status.registered else 0
    return {
        "name": trunk.name,
        "up": status.up,
        "servers": [
            {"uri": uri, "up": server.up, "status": server.last_status}
            for uri, server in status.servers.items()
        ],
        "registered": status.registered,
        "registered_with": status.registered_with if status.registered else "",
        "registered_for_s": remaining_s,
        "registration_error": status.registration_error,
        "calls": {
            "inbound": status.load.active("inbound"),
            "outbound": status.load.active("outbound"),
        },
    }


def lines(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one line per trunk, and one per server that is down or registration that failed."""
    width = max((len(item["name"]) for item in reports), default=0)
    out: list[str] = []
    for item in reports:
        calls = item["calls"]
        state = "up  " if item["up"] else "DOWN"
        counts = f"{calls['inbound']} calls in, {calls['outbound']} out"
        out.append(f"{item['name']:<{width}}  {state}  {_registration(item)}; {counts}")
        if error := item["registration_error"]:
            out.append(f"{'':<{width}}  last REGISTER failed: {error}")
        out += [
            f"{'':<{width}}  {server['uri']} is down"
            for server in item["servers"]
            if not server["up"]
        ]
    return out


def _registration(item: Mapping[str, Any]) -> str:
    if item["registered"] is None:
        return "does not register"
    if not item["registered"]:
        return "NOT REGISTERED"
    return f"registered with {item['registered_with']} for {item['registered_for_s']} s"
