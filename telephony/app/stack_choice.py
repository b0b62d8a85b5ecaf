"""Which signalling stack the bot speaks SIP with."""

from __future__ import annotations

from telephony.app.native_side import NativeSide
from telephony.app.stack_side import SideParts, StackSide
from telephony.stacks.capabilities import StackName


def make_side(name: StackName, parts: SideParts) -> StackSide:
    """Return the stack that the settings name; what belongs to another is not even imported.

    Raises ImportError when its library is not installed.
    """
    if name == "pjsip":
        from telephony.app.pjsip_side import PjsipSide

        return PjsipSide(parts)
    if name == "pyvoip":
        from telephony.app.pyvoip_side import PyvoipSide

        return PyvoipSide(parts)
    return NativeSide(parts)
