"""What can be done with a call whose audio the provider has, and in which words that is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from telephony.calls.agent import Agent
from telephony.calls.destination import Destination
from telephony.calls.digits_tool import SEND_DIGITS, SEND_DIGITS_DEFINITION
from telephony.calls.goodbye import HANGUP, HANGUP_DEFINITION
from telephony.calls.transfer_tool import TRANSFER, transfer_definition
from telephony.dialplan.actions import Action, ConnectModel, Play, PreAnswer, Record, Transfer
from telephony.realtime.dialect import Brief
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.hosted.incoming import Surface
from telephony.realtime.hosted.session_body import HOSTED_APIS
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
        return f"OpenAI does not answer calls for agent {agent.name!r}, whose API is {_api(agent)}"
    return ""


def unheeded(agent: Agent) -> Iterator[str]:
    """Yield what an agent has that a hosted call goes without."""
    attended = [name for name, d in agent.transfers.items() if d.mode == "attended"]
    if attended:
        yield f"attended transfers ({', '.join(attended)})"
    if agent.recording_tools:
        yield ", ".join(agent.recording_tools)
    if agent.can_send_digits and not presses_keys(agent):
        yield "send_digits"
    if agent.fallbacks:
        yield "fallback"


def surface_of(agent: Agent) -> Surface | None:
    """Return the API that accepts the agent's calls, None when there is none."""
    return HOSTED_APIS.get(_api(agent))


def _api(agent: Agent) -> str:
    return agent.source.model.api


def hangs_up(agent: Agent) -> bool:
    """Whether the agent has our ``hangup``; a tool of its own of that name is just a tool."""
    return agent.can_hang_up and HANGUP not in agent.tools


def presses_keys(agent: Agent) -> bool:
    """Whether the agent has our ``send_digits``, for which only OpenAI Live has a word."""
    has = agent.can_send_digits and SEND_DIGITS not in agent.tools
    return has and surface_of(agent) == "live"


def transfers_of(agent: Agent) -> dict[str, Destination]:
    """Return where a caller can be sent: by REFER, as nobody else can be called for them."""
    if TRANSFER in agent.tools:
        return {}
    return {name: d for name, d in agent.transfers.items() if d.mode == "blind"}


def brief_of(agent: Agent) -> Brief:
    """Return what the session is given: the tools that need no audio of ours."""
    tools: tuple[FunctionTool, ...] = agent.tools.definitions()
    if hangs_up(agent):
        tools += (HANGUP_DEFINITION,)
    if transfers := transfers_of(agent):
        tools += (transfer_definition(transfers),)
    if presses_keys(agent):
        tools += (SEND_DIGITS_DEFINITION,)
    return Brief(agent.instructions, tools)


def refer_target(to: str) -> str:
    """Return the URI for a REFER: a SIP or TEL URI as it is, a number as a TEL URI.

    Raises ValueError for what is neither.
    """
    if uri_scheme(to) in ("sip", "sips", "tel") and read_uri(to) is not None:
        return to
    if is_telephone(to):
        return f"tel:{bare_number(to)}"
    raise ValueError(f"{to!r} is neither a number nor a URI that OpenAI could send a caller to")
