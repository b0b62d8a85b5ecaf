"""The ``send_digits`` tool: the model presses keys, to get through the menus of others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from telephony.base.interfaces import DigitsSent, Media
from telephony.dtmf.dial_string import read_dial_string
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.tools import encode_output, error_output
from telephony.realtime.wire import parse_object

SEND_DIGITS = "send_digits"

MAX_LENGTH = 32
"""Keys and pauses in one call of the tool."""

PressKeys = Callable[[str], Awaitable[DigitsSent]]
"""Presses keys on the line that a call has now; raises LocalProtocolError if that can't be."""

SEND_DIGITS_DEFINITION = FunctionTool(
    name=SEND_DIGITS,
    description=(
        "Press keys of the telephone, as a caller does in a menu (press 1 for sales) or to enter "
        "a number. The other side hears the keys at once, and what you are saying after them; "
        "the result comes when they were sent. Do not read the digits out as well."
    ),
    parameters={
        "type": "object",
        "properties": {
            "digits": {
                "type": "string",
                "description": (
                    f"The keys in order: 0-9, * and #, rarely A-D; a comma waits half a second. "
                    f"At most {MAX_LENGTH}."
                ),
                "maxLength": MAX_LENGTH,
            }
        },
        "required": ["digits"],
    },
)


def wanted_keys(arguments: str) -> str:
    """Return the keys that the model asked for; ValueError says what is wrong with them."""
    digits = (parse_object(arguments) or {}).get("digits")
    if isinstance(digits, int) and not isinstance(digits, bool) and digits >= 0:
        digits = str(digits)
    if not isinstance(digits, str):
        raise ValueError("digits is missing; write a text such as 1 or 4711#")
    return read_dial_string(digits, MAX_LENGTH)


def outcome_text(outcome: DigitsSent) -> str:
    """Return the tool's output: what was sent, and why not all of it was."""
    if outcome.failure:
        sent = f"{outcome.digits!r} was sent" if outcome.digits else "nothing was sent"
        return error_output(f"{outcome.failure}; {sent}")
    return encode_output({"sent": outcome.digits})


async def press_keys(media: Media, digits: str) -> DigitsSent:
    """Press keys and wait until they are sent, or can't be; raises LocalProtocolError."""
    outcome: asyncio.Future[DigitsSent] = asyncio.get_running_loop().create_future()

    def sent(result: DigitsSent) -> None:
        if not outcome.done():
            outcome.set_result(result)

    media.send_digits(digits, sent)
    return await outcome
