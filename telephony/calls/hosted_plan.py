"""What can be done with a call whose audio the provider has, and in which words that is asked."""

from __future__ import annotations

from collections.abc import Mapping

from telephony.calls.agent import Agent
from telephony.calls.built_in_tools import tool_definitions
from telephony.calls.hosted_lacks import surface_of, why_unsafe
from telephony.dialplan.actions import Action, ConnectModel, Play, PreAnswer, Record, Transfer
from telephony.realtime.dialect import Brief
from telephony.sip.telephone import bare_number, is_telephone
from telephony.sip.values import read_uri, uri_scheme

_NO_MEDIA = "needs the audio of the call, which OpenAI has"


def why_not_hosted(action: Action, agents: Mapping[str, Agent]) -> str:
    """Return why an action is impossible for a hosted call, or an empty text."""
    match action:
        case PreAnswer():
            return f"pre_answer {_NO_MEDIA}"
        case Play():
            return f"play {_NO_MEDIA}"
        case Record(action="start"):
            return f"record {_NO_MEDIA}"
        case Transfer(mode="attended"):
            return f"an attended transfer {_NO_MEDIA}"
        case Transfer(play=str()):
            return f"transfer with play {_NO_MEDIA}"
        case Transfer(hold_music=str()):
            return f"transfer with hold_music {_NO_MEDIA}"
        case ConnectModel(agent=name) if name in agents:
            return why_no_agent(agents[name])
        case _:
            return ""


def why_no_agent(agent: Agent) -> str:
    """Return why an agent can't take a hosted call, or an empty text."""
    if surface_of(agent) is None:
        api = agent.source.model.api
        return f"OpenAI does not answer calls for agent {agent.name!r}, whose API is {api}"
    reason = why_unsafe(agent)
    return f"agent {agent.name!r} can't take it: {reason}" if reason else ""


def brief_of(agent: Agent) -> Brief:
    """Return what the session of an agent is given, as it is on hosted calls."""
    return Brief(agent.instructions, tool_definitions(agent))


def refer_target(to: str) -> str:
    """Return the URI for a REFER: a SIP or TEL URI as it is, a number as a TEL URI.

    Raises ValueError for what is neither.
    """
    if uri_scheme(to) in ("sip", "sips", "tel") and read_uri(to) is not None:
        return to
    if is_telephone(to):
        return f"tel:{bare_number(to)}"
    raise ValueError(f"{to!r} is neither a number nor a URI that OpenAI could send a caller to")
