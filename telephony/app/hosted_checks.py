"""What keeps hosted calls and tokens from working, found before the first of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from telephony.app.agents import LoadedAgent
from telephony.app.hosted_secrets import secret_problems
from telephony.app.model_reader import REHEARSAL
from telephony.app.settings import Settings
from telephony.app.settings_sources import LoadedSettings
from telephony.base.errors import Problem
from telephony.base.schema_problems import did_you_mean
from telephony.calls.agent import Agent
from telephony.calls.hosted_lacks import as_hosted, lacks_of, surface_of
from telephony.calls.hosted_plan import refer_target, why_not_hosted
from telephony.dialplan import ConnectModel, Dialplan, Extension, Transfer
from telephony.dialplan.model import TextCondition
from telephony.realtime.hosted.client_tokens import token_way


def hosted_trunk(settings: Settings) -> set[str]:
    """Return the name by which the dialplan knows hosted calls, if there are any."""
    return {settings.hosted_sip.trunk} if settings.hosted_sip.enabled else set()


def with_hosted_hint(loaded: LoadedSettings, problems: Iterable[Problem]) -> Iterator[Problem]:
    """Say of a trunk that there is not that hosted calls may be meant, which are off."""
    off = not loaded.settings.hosted_sip.enabled and loaded.names(("hosted_sip",))
    for problem in problems:
        if off and ".when.trunk" in problem.key:
            fix = "write hosted_sip: {enabled: true} for calls that OpenAI answers"
            yield replace(problem, fix=f"{fix}; else {problem.fix}" if problem.fix else fix)
        else:
            yield problem


def check_hosted(
    loaded: LoadedSettings,
    agents: Sequence[LoadedAgent],
    dialplan: Dialplan | None,
    trunks: Collection[str],
    environ: Mapping[str, str],
) -> Iterator[Problem]:
    """Find what can't be done; ``trunks`` are the names of the real ones."""
    settings = loaded.settings
    for key, message, fix in secret_problems(settings, environ):
        yield loaded.problem(key, message, fix)
    yield from _check_ports(loaded)
    if settings.hosted_sip.enabled:
        if settings.hosted_sip.trunk in trunks:
            message = f"a trunk is called {settings.hosted_sip.trunk!r} already"
            yield loaded.problem(("hosted_sip", "trunk"), message, "choose another name")
        if dialplan is not None:
            yield from _check_extensions(loaded, _ready(agents), dialplan)
            yield from _check_agents(loaded.settings, agents, dialplan)
    if settings.tokens.enabled:
        yield from _check_tokens(loaded, agents)


def doubts_of_hosted(
    loaded: LoadedSettings, agents: Sequence[LoadedAgent], dialplan: Dialplan | None
) -> Iterator[Problem]:
    """Find what a hosted call may meet and would go without, or be rejected for."""
    settings = loaded.settings
    if not settings.hosted_sip.enabled or dialplan is None:
        return
    url = urlsplit(settings.hosted_sip.base_url)
    if url.scheme == "http" and url.hostname not in ("localhost", "127.0.0.1", "::1"):
        message = "the key travels unencrypted"
        yield loaded.problem(("hosted_sip", "base_url"), message, "use https://")
    ready = _ready(agents)
    azure = (url.hostname or "").endswith(".openai.azure.com")
    if azure or url.hostname == "api.openai.com":
        yield from _of_another_provider(settings, agents, dialplan, azure)
    for extension in _extensions(settings, dialplan):
        if _names_trunk(extension, settings.hosted_sip.trunk) is not None:
            continue
        for message in _impossible(extension, ready):
            text = f"a hosted call that comes here is rejected: {message}"
            fix = f"add another extension with trunk: {settings.hosted_sip.trunk} before it"
            yield _at(extension, settings, text, fix)
    surely = _talking(settings, ready, dialplan, surely=True)
    perhaps = _talking(settings, ready, dialplan, surely=False)
    for item in agents:
        if item.agent is None or item.name not in perhaps:
            continue
        for lack in lacks_of(item.agent, ready):
            # An error already, or a reason to reject the call.
            if lack.harmless or not (lack.unsafe or item.name in surely):
                yield item.problem(lack.key, f"on hosted calls {lack.text}", lack.fix)


def _of_another_provider(
    settings: Settings, agents: Sequence[LoadedAgent], dialplan: Dialplan, azure: bool
) -> Iterator[Problem]:
    """Find agents whose model the provider of the calls does not know by that name."""
    hosted = _talking(settings, _ready(agents), dialplan, surely=True)
    for item in agents:
        if item.agent is None or item.name not in hosted:
            continue
        source = item.agent.source
        if source.base_url != REHEARSAL and source.model.api.startswith("azure_") != azure:
            where, other = ("Azure", "OpenAI") if azure else ("OpenAI", "Azure")
            message = f"hosted calls are {where}'s (hosted_sip.base_url), the model is {other}'s"
            yield item.problem(("api",), message, "let both be of the same provider")


def _ready(agents: Sequence[LoadedAgent]) -> dict[str, Agent]:
    return {item.name: item.agent for item in agents if item.agent is not None}


def _extensions(settings: Settings, dialplan: Dialplan) -> tuple[Extension, ...]:
    return dialplan.contexts.get(settings.dialplan.context, ())


def _names_trunk(extension: Extension, trunk: str) -> bool | None:
    """Return whether the extension asks for this trunk, None when it asks for none."""
    condition = extension.by_subject().get("trunk")
    if not isinstance(condition, TextCondition):
        return None
    return any(pattern.matches(trunk) for pattern in condition.patterns)


def _talking(
    settings: Settings, agents: Mapping[str, Agent], dialplan: Dialplan, *, surely: bool
) -> set[str]:
    """Return the agents that hosted calls come to, over handoffs too.

    ``surely``: by extensions that name the trunk; else by those that name none as well.
    """
    trunk = settings.hosted_sip.trunk
    waiting = [
        action.agent
        for extension in _extensions(settings, dialplan)
        if (named := _names_trunk(extension, trunk)) or (named is None and not surely)
        for action in extension.actions
        if isinstance(action, ConnectModel)
    ]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        agent = agents.get(name)
        if agent is None or name in found or surface_of(agent) is None:
            continue
        found.add(name)
        waiting += (handoff.agent for handoff in as_hosted(agent, agents).handoffs.values())
    return found


def _impossible(extension: Extension, agents: Mapping[str, Agent]) -> Iterator[str]:
    for action in extension.actions:
        if message := why_not_hosted(action, agents):
            yield message
        if isinstance(action, Transfer):
            try:
                refer_target(action.to)
            except ValueError as error:
                yield str(error)


def _check_extensions(
    loaded: LoadedSettings, agents: Mapping[str, Agent], dialplan: Dialplan
) -> Iterator[Problem]:
    settings = loaded.settings
    trunk = settings.hosted_sip.trunk
    for extension in _extensions(settings, dialplan):
        for action in extension.actions:
            if isinstance(action, Transfer) and trunk in action.trunks:
                message = f"nobody can be called over {trunk!r}: its calls are OpenAI's"
                yield _at(extension, settings, message, "name another trunk")
        if not _names_trunk(extension, trunk):
            continue
        # What of an agent can't be is told at the place in its file.
        others = {name: agent for name, agent in agents.items() if surface_of(agent) is None}
        for message in _impossible(extension, others):
            yield _at(extension, settings, message, f"remove it, or the trunk {trunk}")


def _check_agents(
    settings: Settings, agents: Sequence[LoadedAgent], dialplan: Dialplan
) -> Iterator[Problem]:
    """Find what the files of agents for hosted calls ask for in vain."""
    ready = _ready(agents)
    hosted = _talking(settings, ready, dialplan, surely=True)
    for item in agents:
        agent = item.agent
        if agent is None or item.name not in hosted:
            continue
        lacks = (
            item.problem(
                lack.key, f"{item.name!r} takes calls that OpenAI answers: {lack.text}", lack.fix
            )
            for lack in lacks_of(agent, ready)
            if not lack.harmless
        )
        yield from sorted(lacks, key=lambda problem: (problem.line, problem.column))
        for name, destination in as_hosted(agent, ready).transfers.items():
            try:
                refer_target(destination.to)
            except ValueError as error:
                yield item.problem(("transfers", name, "to"), str(error), "write a SIP URI")


def _at(extension: Extension, settings: Settings, message: str, fix: str) -> Problem:
    key = f"contexts.{settings.dialplan.context}.{extension.name}"
    return Problem(extension.file, extension.line, 1, key, message, fix)


def _check_ports(loaded: LoadedSettings) -> Iterator[Problem]:
    settings = loaded.settings
    for name, section in (("hosted_sip", settings.hosted_sip), ("tokens", settings.tokens)):
        if not section.enabled:
            continue
        if section.port is None and settings.http.port is None:
            message = "there is no port for it: http.port is null"
            yield loaded.problem((name, "port"), message, "write port: 8081")
        if section.tls and settings.tls.certificate is None:
            message = "TLS needs a certificate"
            yield loaded.problem((name, "tls"), message, "name its file in tls.certificate")
        taken = (settings.http.host, settings.http.port)
        if section.port and (section.host, section.port) == taken:
            message = "http has this port already"
            yield loaded.problem((name, "port"), message, "write null to share it")
    hosted, tokens = settings.hosted_sip, settings.tokens
    together = hosted.enabled and tokens.enabled and hosted.port and hosted.port == tokens.port
    if together and hosted.host == tokens.host and hosted.tls != tokens.tls:
        message = "one port can't have TLS and not have it"
        yield loaded.problem(("tokens", "tls"), message, f"write tls: {str(hosted.tls).lower()}")


def _check_tokens(loaded: LoadedSettings, agents: Sequence[LoadedAgent]) -> Iterator[Problem]:
    key = ("tokens", "agents")
    if not loaded.settings.tokens.agents:
        yield loaded.problem(key, "there are no agents to have tokens for", "name some")
    names = [item.name for item in agents]
    for name in loaded.settings.tokens.agents:
        if name not in names:
            yield loaded.problem(key, f"there is no agent {name!r}", did_you_mean(name, names))
    for item in agents:
        if item.name in loaded.settings.tokens.agents:
            yield from item.missing
            if item.missing or item.agent is None:
                continue
            if reason := _why_no_tokens(item.agent):
                yield loaded.problem(key, f"agent {item.name!r}: {reason}", "remove it")


def _why_no_tokens(agent: Agent) -> str:
    source = agent.source
    if source.base_url == REHEARSAL:
        return "the built-in model gives no tokens"
    if token_way(source.model.api) is None:
        return f"there are no tokens for {source.model.api}"
    return "" if source.api_key else "tokens are had with an api_key, and it has none"
