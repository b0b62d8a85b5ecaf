"""Which extension takes a call and what is done with it: text in, decisions out, no file access.

``parse_dialplan(sources)`` reads the files and raises ConfigError with every mistake in them;
``Dialplan.route(call)`` returns the first extension whose conditions all hold, and
``Dialplan.explain(call)`` says of each extension why it does or does not take the call.
"""

from telephony.dialplan.actions import (
    Action,
    Answer,
    ConnectModel,
    Hangup,
    Play,
    PreAnswer,
    Record,
    Reject,
    Transfer,
)
from telephony.dialplan.matcher import Dialplan, Route, RuleVerdict
from telephony.dialplan.model import CallFacts, Extension, Reference
from telephony.dialplan.parser import parse_dialplan

__all__ = [
    "Action",
    "Answer",
    "CallFacts",
    "ConnectModel",
    "Dialplan",
    "Extension",
    "Hangup",
    "Play",
    "PreAnswer",
    "Record",
    "Reference",
    "Reject",
    "Route",
    "RuleVerdict",
    "Transfer",
    "parse_dialplan",
]
