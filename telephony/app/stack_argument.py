"""``--stack``: another signalling stack than that of the settings."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from telephony.app.settings_sources import variable_name
from telephony.stacks.capabilities import CAPABILITIES


def add_stack_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stack", choices=tuple(CAPABILITIES), help="in the place of sip.stack of the settings"
    )


def with_stack(environ: Mapping[str, str], stack: str | None) -> dict[str, str]:
    """Return the environment with the stack that was asked for."""
    chosen = {} if stack is None else {variable_name(("sip", "stack")): stack}
    return {**environ, **chosen}
