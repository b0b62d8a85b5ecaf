"""The ``transfer`` tool: the model sends the caller on, to destinations that have names only.

A model that could dial any number could be talked into dialling expensive ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from telephony.calls.destination import Destination, TransferResult, in_words
from telephony.calls.farewell import Wish
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.tools import error_output
from telephony.realtime.wire import parse_object

TRANSFER = "transfer"

CANCEL = "cancel"
"""Stands for no destination: ends an attempt that is under way."""

ANNOUNCEMENT = Wish(
    say="Tell the caller in one short sentence that you are putting them through now. "
    "The transfer begins when they heard it.",
    goes_on="The caller interrupted you, so they were not transferred. Listen to them.",
    pending="The caller is about to leave this call already.",
)

CALLING = (
    "The destination is being called; that may take a while. The caller is still with you and "
    "can talk to you meanwhile. You will be told if the transfer fails."
)
UNDER_WAY = "A transfer is under way already; you will be told if it fails."
CANCELLED = "The attempt was ended; nobody is called any more. The caller stays with you."
NOT_CANCELLED = "There is no transfer that could still be ended."


def transfer_definition(destinations: Mapping[str, Destination]) -> FunctionTool:
    """Return the tool as the model sees it.

    Callers who are with the bot while somebody is called may tire of waiting: attended transfers
    can be given up.
    """
    lines = [f"{name}: {d.description}".rstrip(": ") for name, d in destinations.items()]
    names = list(destinations)
    if _can_cancel(destinations):
        names.append(CANCEL)
        lines.append(
            f"{CANCEL}: nowhere; ends the attempt to reach somebody who has not answered yet, "
            "when the caller no longer wants to wait"
        )
    return FunctionTool(
        name=TRANSFER,
        description=(
            "Transfer the caller to somebody else. Tell them first; the transfer begins when "
            "they heard it. If it fails the caller is back with you."
        ),
        parameters={
            "type": "object",
            "properties": {
                "destination": {
                    "type": "string",
                    "enum": names,
                    "description": "\n".join(["Where to:", *lines]),
                }
            },
            "required": ["destination"],
        },
    )


def chosen(arguments: str, destinations: Mapping[str, Destination]) -> str | None:
    """Return the name that the model chose, or None for one that there is not."""
    name = (parse_object(arguments) or {}).get("destination")
    return name if isinstance(name, str) and name in destinations else None


def cancels(arguments: str, destinations: Mapping[str, Destination]) -> bool:
    """Tell whether the model gives up the transfer that is under way."""
    wish = (parse_object(arguments) or {}).get("destination")
    return wish == CANCEL and _can_cancel(destinations)


def _can_cancel(destinations: Mapping[str, Destination]) -> bool:
    attended = any(d.mode == "attended" for d in destinations.values())
    return attended and CANCEL not in destinations


def unknown_destination(destinations: Mapping[str, Destination]) -> str:
    """Return the output for a call that named no destination of ours."""
    return error_output(f"there is no such destination; choose one of: {', '.join(destinations)}")


def failure_text(name: str, result: TransferResult) -> str:
    """Tell the model that the caller is back."""
    return (
        f"The transfer to {name} failed: {in_words(result)}. The caller is with you again: tell "
        "them, and help them yourself or offer something else."
    )
