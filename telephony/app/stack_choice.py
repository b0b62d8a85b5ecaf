"""Which signalling stack the bot speaks SIP with."""

from __future__ import annotations

from telephony.app.native_side import NativeSide
from telephony.app.stack_side import SideParts, StackSide
from telephony.stacks.capabilities import StackName


def make_side(name: StackName, parts: SideParts) -> StackSide:
    """Return the stack that the settings name."""
    return NativeSide(parts)
