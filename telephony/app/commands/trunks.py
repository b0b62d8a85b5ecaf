"""``telephony trunks``: which trunks are configured, and how those of a running bot are doing."""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from telephony.app.preflight import load_trunks_checked
from telephony.app.settings import Http
from telephony.app.trunk_report import lines
from telephony.app.trunks import LoadedTrunk
from telephony.sip.values import bracketed_host
from telephony.stacks.trunk import Trunk

HELP = "list the trunks, and how those of the running bot are doing"

ANSWER_TIMEOUT_S = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="config/telephony.yaml")
    parser.add_argument(
        "--url",
        metavar="URL",
        help="the HTTP port of the bot (that of the configuration), such as http://127.0.0.1:8080",
    )
    parser.add_argument("--json", action="store_true", help="print the state as JSON")


def run(args: argparse.Namespace) -> int:
    """Return 0 when every trunk of the running bot can be used, 1 when one can't, 3 without bot."""
    settings, trunks = load_trunks_checked(args.config, os.environ)
    url = args.url or url_of(settings.http)
    state = ask(url) if url else None
    if args.json:
        print(json.dumps(state, indent=2))
    else:
        print("\n".join(_configured(trunks)))
        if state is not None:
            print("\n".join(["", f"the bot at {url}:", *(lines(state) or ["no trunks"])]))
    if state is None:
        where = f"at {url}" if url else "to be asked: http.port is null"
        print(f"no bot {where}", file=sys.stderr)
        return 3
    return 0 if all(item["up"] and item["registered"] is not False for item in state) else 1


def url_of(http: Http) -> str | None:
    """Return where the bot of this configuration is asked; None when it has no port of its own."""
    if not http.port:
        return None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(http.host, http.host)
    return f"http://{bracketed_host(host)}:{http.port}"


def ask(url: str) -> list[dict[str, Any]] | None:
    """Return the state of a running bot's trunks, None when no bot answers."""
    if not url.startswith(("http://", "https://")):
        return None
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/trunks", timeout=ANSWER_TIMEOUT_S) as got:
            state = json.load(got)
    except (OSError, ValueError):
        return None
    return state if isinstance(state, list) else None


def _configured(trunks: list[LoadedTrunk]) -> list[str]:
    if not trunks:
        return ["no trunks are configured: write config/trunks/<name>.yaml"]
    width = max(len(item.name) for item in trunks)
    return [
        f"{item.name:<{width}}  {_summary(item.trunk) if item.trunk else 'not enabled'}"
        for item in trunks
    ]


def _summary(trunk: Trunk) -> str:
    parts = [", ".join(trunk.next_hops) or "inbound only"]
    if trunk.register is not None:
        parts.append(f"registers {trunk.username}")
    if not trunk.outbound and trunk.next_hops:
        parts.append("no outbound calls")
    if trunk.media.srtp != "off":
        parts.append(f"SRTP {trunk.media.srtp}")
    return "; ".join(parts)
