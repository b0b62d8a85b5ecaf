"""What an agent has that OpenAI gives no way to, on a call whose audio it has itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from telephony.calls.agent import Agent
from telephony.calls.built_in_tools import hands_off, sends_digits, switches_language
from telephony.calls.destination import Destination
from telephony.realtime.hosted.incoming import Surface
from telephony.realtime.hosted.session_body import HOSTED_APIS
from telephony.realtime.session_config import SessionConfig

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that an agent's file asks for in vain, at ``key`` of it.

    ``unsafe``: a call without it would break a promise, so that it is rejected. ``harmless``: the
    call is as good without it.
    """

    key: Key
    text: str
    fix: str
    unsafe: bool = False
    harmless: bool = False


def surface_of(agent: Agent) -> Surface | None:
    """Return the API that accepts the agent's calls, None when there is none."""
    return HOSTED_APIS.get(agent.source.model.api)


def lacks_of(agent: Agent, agents: Mapping[str, Agent]) -> Iterator[Lack]:
    """Yield what ``agent`` goes without; ``agents`` are those it may hand over to."""
    live = surface_of(agent) == "live"
    yield from _of_rules(agent, live)
    if not live:
        yield from _of_session(agent)
    yield from _of_barge_in(agent, live)
    yield from _of_tools(agent, live)
    yield from _of_handoffs(agent, agents, live)
    yield from _of_languages(agent, live)
    if agent.fallbacks:
        text = "a call that was accepted keeps its model"
        yield Lack(("fallback",), text, "", harmless=True)
    if agent.filler is not None:
        text = "nothing of ours is played while a model is lost"
        yield Lack(("filler",), text, "", harmless=True)


def why_unsafe(agent: Agent) -> str:
    """Return why a call is rejected rather than given to this agent, or an empty text."""
    return next((lack.text for lack in lacks_of(agent, {}) if lack.unsafe), "")


def as_hosted(agent: Agent, agents: Mapping[str, Agent]) -> Agent:
    """Return the agent as it is on hosted calls: its model is offered what can be done there."""
    live = surface_of(agent) == "live"
    languages = agent.languages
    if live and languages:
        first = next(iter(languages))
        languages = {first: languages[first]}
    return replace(
        agent,
        transfers=_blind(agent),
        can_send_digits=agent.can_send_digits and live,
        recording_tools=(),
        handoffs={
            name: handoff
            for name, handoff in agent.handoffs.items()
            if not live and not _why_not_to(agent, agents.get(handoff.agent))
        },
        languages=languages,
        fallbacks=(),
    )


def watches_bot(agent: Agent) -> bool:
    """Whether there are rules on what the bot says: it may say nothing that nobody watches."""
    return any(rule.side == "output" for rule in agent.guardrails.rules)


def _blind(agent: Agent) -> dict[str, Destination]:
    return {name: d for name, d in agent.transfers.items() if d.mode == "blind"}


def _of_rules(agent: Agent, live: bool) -> Iterator[Lack]:
    guardrails = agent.guardrails
    for number, rule in enumerate(guardrails.rules):
        place: Key = ("guardrails", "rules", number)
        if rule.side == "output" and live:
            text = f"OpenAI Live can't be cut off, so that rule {rule.name!r} could not hold"
            yield Lack(place, text, "remove it, or choose a Realtime model", unsafe=True)
        elif rule.side == "input" and not live and not _is_transcribed(agent):
            text = f"without transcription rule {rule.name!r} never sees what the caller says"
            yield Lack(place, text, "remove session.transcription: null", unsafe=True)
        yield from _of_remedy(agent, rule.transfer_to, (*place, "transfer"))
    yield from _of_remedy(agent, guardrails.transfer_to, ("guardrails", "transfer"))


def _is_transcribed(agent: Agent) -> bool:
    config = getattr(agent.source.model, "config", None)
    return not isinstance(config, SessionConfig) or config.transcription is not None


def _of_remedy(agent: Agent, destination: str, key: Key) -> Iterator[Lack]:
    if destination and destination not in _blind(agent):
        text = f"{destination!r} is an attended transfer, which needs the audio of the call"
        yield Lack(key, text, "name a blind transfer", unsafe=True)


def _of_session(agent: Agent) -> Iterator[Lack]:
    if not agent.source.model.traits.detects_turns:
        text = "nobody but OpenAI hears the caller, so that no turn of theirs would ever end"
        fix = "remove session.turn_detection: null"
        yield Lack(("session", "turn_detection"), text, fix, unsafe=True)


def _of_barge_in(agent: Agent, live: bool) -> Iterator[Lack]:
    """The provider alone hears the caller, and its own turn detection says what that does."""
    policy = agent.barge_in
    if not agent.source.model.traits.interrupts_by_itself:
        return
    if policy.protect_greeting:
        text = "OpenAI lets callers interrupt the greeting as well"
        fix = "write barge_in: {protect_greeting: false}"
        yield Lack(("barge_in", "protect_greeting"), text, fix)
    if not policy.obeys_server:
        text = f"OpenAI interrupts by itself, whatever barge_in.mode says, here {policy.mode}"
        fix = "write mode: both, or session.turn_detection.interrupt_response: false"
        if live:
            fix = "write mode: server"
        yield Lack(("barge_in", "mode"), text, fix)


def _of_tools(agent: Agent, live: bool) -> Iterator[Lack]:
    for name, destination in agent.transfers.items():
        if destination.mode == "attended":
            text = f"transfer {name!r} is attended, which needs the audio of the call"
            yield Lack(("transfers", name), text, "write mode: blind, or remove it")
        elif destination.hold_music is not None:
            text = f"there is no hold music in transfer {name!r}: OpenAI has the audio"
            yield Lack(("transfers", name), text, "", harmless=True)
    for name in agent.recording_tools:
        text = f"there is no {name}: nothing is recorded, as OpenAI has the audio"
        yield Lack(("tools",), text, "remove it")
    if sends_digits(agent) and not live:
        text = "there is no send_digits: only OpenAI Live has a word for it"
        yield Lack(("tools",), text, "remove it, or choose a Live model")


def _of_handoffs(agent: Agent, agents: Mapping[str, Agent], live: bool) -> Iterator[Lack]:
    if not hands_off(agent):
        return
    if live:
        text = "there are no handoffs: instructions of OpenAI Live are those of its start"
        yield Lack(("handoffs",), text, "remove them, or choose a Realtime model")
        return
    for name, handoff in agent.handoffs.items():
        other = agents.get(handoff.agent)
        if other is None:
            continue
        if reason := _why_not_to(agent, other):
            text = f"there is no handoff to {name!r}: {reason}"
            yield Lack(("handoffs", name), text, "remove it")
        elif _voice(other) != _voice(agent):
            text = f"{name!r} speaks with the voice of {agent.name!r}: one that was heard stays"
            yield Lack(("handoffs", name), text, "", harmless=True)


def _why_not_to(agent: Agent, other: Agent | None) -> str:
    """Return why a call can't go from one agent to the other, or an empty text."""
    if other is None:
        return "there is no such agent"
    ours, theirs = agent.source.model, other.source.model
    if (ours.api, ours.model) != (theirs.api, theirs.model):
        return f"a call that was accepted keeps its model, {ours.model}"
    theirs_in_vain = (*_of_rules(other, live=False), *_of_session(other))
    return next((lack.text for lack in theirs_in_vain if lack.unsafe), "")


def _of_languages(agent: Agent, live: bool) -> Iterator[Lack]:
    if not switches_language(agent):
        return
    if live:
        text = "the language stays the first: instructions of OpenAI Live are those of its start"
        yield Lack(("languages",), text, "name one language, or choose a Realtime model")
        return
    first = next(iter(agent.languages))
    voice = _voice(agent.in_language(first))
    for tag in agent.languages:
        if _voice(agent.in_language(tag)) != voice:
            text = f"{tag} is spoken with the voice of {first}: one that was heard stays"
            yield Lack(("languages", tag), text, "", harmless=True)


def _voice(agent: Agent) -> object:
    config = getattr(agent.source.model, "config", None)
    return getattr(config, "voice", None)
