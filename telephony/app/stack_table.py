"""The table of what each signalling stack can do, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from telephony.stacks.capabilities import CAPABILITIES, Capabilities

TITLES: Final[dict[str, str]] = {
    "transports": "transports",
    "codecs": "codecs",
    "digit_ways": "keys of ours (`dtmf`)",
    "ours": "media on our RTP plane",
    "ipv6": "IPv6",
    "srtp": "SRTP with SDES keys",
    "registration": "registration",
    "caller_login": "logins of callers (`inbound.authenticate`)",
    "caller_certificates": "callers known by certificate (`inbound.certificate_names`)",
    "silence": "no answer at all to strangers (else 403)",
    "guard": "floods and scanners limited and banned",
    "attestation": "Identity header verified (`attestation`)",
    "early_media": "early media (`pre_answer`)",
    "hold": "puts callers on hold",
    "peer_hold": "notices being put on hold",
    "blind_transfer": "blind transfer",
    "attended_transfer": "attended transfer",
    "referral": "follows a REFER (`refer.accept`)",
    "replacement": "takes calls in the place of others (Replaces)",
    "info_digits": "digits in INFO",
    "session_timer": "session timers",
    "reliable_provisional": "100rel",
    "retransmission": "repeats what UDP lost",
    "keepalive": "OPTIONS to the servers of trunks (`keepalive`)",
    "redirects": "follows redirects (`follow_redirects`)",
    "refuses_options": "503 to OPTIONS while it drains",
    "certificate_reload": "renewed certificates without a restart (SIGHUP)",
    "ice": "ICE",
    "stun": "STUN (`sip.stun_server`)",
}
"""Every field of Capabilities, in the order of the table."""


def capability_rows() -> list[list[str]]:
    """Return the table: a row for the names of the stacks, then one for each capability."""
    rows = [["", *CAPABILITIES]]
    rows += [
        [title, *(_cell(can, name) for can in CAPABILITIES.values())]
        for name, title in TITLES.items()
    ]
    return rows


def _cell(can: Capabilities, name: str) -> str:
    value = getattr(can, name)
    if isinstance(value, tuple):
        return ", ".join(value).upper()
    return "yes" if value else "no"


def as_markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table of Markdown, the first one as its head."""
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines).replace("|  |", "| |")


def as_text(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns for a terminal."""
    plain = [[cell.replace("`", "") for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in plain) for column in range(len(plain[0]))]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in plain)
    return "\n".join(lines)


def untitled() -> set[str]:
    """Return the capabilities that the table leaves out."""
    return {field.name for field in fields(Capabilities)} - TITLES.keys()
