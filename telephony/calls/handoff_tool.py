"""The tools ``handoff`` and ``switch_language``: the call goes on with another agent.

A switch of language is a handoff to the same agent as it is in that language.
"""

from __future__ import annotations

from collections.abc import Mapping

from telephony.calls.farewell import Wish
from telephony.calls.handoff import Handoff
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.tools import error_output
from telephony.realtime.wire import parse_object

HANDOFF = "handoff"
SWITCH_LANGUAGE = "switch_language"

ANNOUNCEMENT = Wish(
    say="Tell the caller in one short sentence who takes over now. They take over when that was "
    "heard.",
    goes_on="The caller interrupted you, so nobody took over. Listen to them.",
    pending="The caller is about to leave you already.",
)
LANGUAGE_ANNOUNCEMENT = Wish(
    say="Say in one short sentence that you go on in the language the caller asked for.",
    goes_on="The caller interrupted you; the language stays as it is. Listen to them.",
    pending="The caller is about to leave you already.",
)
UNDER_WAY = "It is under way; say nothing more."
FAILED = "Nobody could take over. The caller is still with you: help them yourself."
HANDED_OVER = (
    "You have just taken over this conversation from a colleague; the caller knows. "
    "Say who you are in a few words and go on where it stands."
)
SWITCHED = (
    "You go on with this conversation in the language that the caller asked for. "
    "Say in a few words that you do, and go on where it stands."
)


def handoff_definition(handoffs: Mapping[str, Handoff]) -> FunctionTool:
    """Return the tool as the model sees it: names and descriptions only."""
    lines = [f"{name}: {h.description}".rstrip(": ") for name, h in handoffs.items()]
    return _one_of(
        HANDOFF,
        "Hand the caller over to a colleague who is better suited; the call goes on with them and "
        "they know what was said. Tell the caller first.",
        "to",
        list(handoffs),
        "\n".join(["To whom:", *lines]),
    )


def language_definition(languages: list[str]) -> FunctionTool:
    """Return the tool for languages, by their tags (RFC 5646)."""
    return _one_of(
        SWITCH_LANGUAGE,
        "Go on in another language, when the caller speaks it or asks for it.",
        "language",
        languages,
        "The language to go on in.",
    )


def _one_of(
    name: str, description: str, key: str, values: list[str], explanation: str
) -> FunctionTool:
    choice = {"type": "string", "enum": values, "description": explanation}
    return FunctionTool(
        name=name,
        description=description,
        parameters={"type": "object", "properties": {key: choice}, "required": [key]},
    )


def chosen_handoff(arguments: str, handoffs: Mapping[str, Handoff]) -> str | None:
    """Return the name that the model chose, or None for one that there is not."""
    name = (parse_object(arguments) or {}).get("to")
    return name if isinstance(name, str) and name in handoffs else None


def chosen_language(arguments: str, languages: Mapping[str, object]) -> str | None:
    """Return the language that the model chose, or None for one that there is not."""
    tag = (parse_object(arguments) or {}).get("language")
    return tag if isinstance(tag, str) and tag in languages else None


def no_such(what: str, known: Mapping[str, object]) -> str:
    """Return the output for a call that chose nothing of ours."""
    return error_output(f"there is no such {what}; choose one of: {', '.join(known)}")
