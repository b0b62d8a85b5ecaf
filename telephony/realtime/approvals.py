"""Tools that only run when the caller has agreed.

The first call of such a tool runs nothing: the model is told to ask the caller, and gets a token.
The tool ``confirm_action`` takes the token, but not before the bot has said something since and
the caller has had a turn after that. So a model can't agree with itself in one breath. Whether
what the caller said means yes is the model's to judge.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from telephony.base.ids import Ids
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.tools import error_output
from telephony.realtime.wire import parse_object

CONFIRM_ACTION = "confirm_action"

CONFIRM_DEFINITION = FunctionTool(
    name=CONFIRM_ACTION,
    description=(
        "Carry out an action that needed the caller's agreement, or drop it. Call it only after "
        "you asked the caller and they answered."
    ),
    parameters={
        "type": "object",
        "properties": {
            "token": {"type": "string", "description": "The token that you were given."},
            "agreed": {"type": "boolean", "description": "Whether the caller clearly said yes."},
        },
        "required": ["token", "agreed"],
    },
)

NOT_YET = (
    "The caller has not answered yet. Ask them, wait for their answer, and only then call "
    f"{CONFIRM_ACTION}."
)
DROPPED = "Nothing was done: the caller did not agree."

_VALID_S = 300.0
_MAX_PENDING = 8


@dataclass(frozen=True, slots=True)
class Agreed:
    """A call that the caller agreed to."""

    name: str
    arguments: str


@dataclass(slots=True)
class _Pending:
    name: str
    arguments: str
    asked_at: float
    said_before: str
    answered: bool = False


class Approvals:
    """What waits for the caller of one phone call to agree."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._pending: dict[str, _Pending] = {}

    def ask(self, name: str, arguments: str, last_said: str, now: float) -> str:
        """Return the output for a call that has to wait.

        ``last_said`` names what the bot said last: any id that is another one once it has said
        something else. The same call asked for again gets a new token, and the old one is void.
        """
        for token, waiting in list(self._pending.items()):
            if (waiting.name, waiting.arguments) == (name, arguments):
                del self._pending[token]
        token = self._ids.token(3)
        self._pending[token] = _Pending(name, arguments, now, last_said)
        if len(self._pending) > _MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        return json.dumps(
            {
                "status": "not done yet",
                "token": token,
                "next": (
                    f"Tell the caller exactly what {name} is going to do and ask whether you "
                    f"should. After they answered call {CONFIRM_ACTION} with the token. Do not "
                    "say the token."
                ),
            }
        )

    def caller_answered(self, last_said: str) -> None:
        """The caller's turn is over; what they were asked before it they may have answered."""
        for waiting in self._pending.values():
            if last_said != waiting.said_before:
                waiting.answered = True

    def confirm(self, arguments: str, now: float) -> Agreed | str:
        """Return the call to make, or what to tell the model instead."""
        values = parse_object(arguments) or {}
        token = values.get("token")
        waiting = self._pending.get(token) if isinstance(token, str) else None
        if waiting is None or now - waiting.asked_at > _VALID_S:
            return error_output("this token is not valid; call the tool that you want again")
        if not waiting.answered:
            return error_output(NOT_YET)
        del self._pending[str(token)]
        return Agreed(waiting.name, waiting.arguments) if values.get("agreed") is True else DROPPED


@dataclass(frozen=True, slots=True)
class ProviderApprovals:
    """Which remote tools a model's provider may call when it asks first.

    ``rules`` maps ``server`` or ``server.tool`` to whether it may; what is in neither may not.
    """

    rules: tuple[tuple[str, bool], ...] = ()

    def allows(self, server_label: str, name: str) -> bool:
        rules = dict(self.rules)
        return rules.get(f"{server_label}.{name}", rules.get(server_label, False))
