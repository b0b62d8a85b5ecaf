"""Reads everything the bot runs with and finds every mistake in it before the first call."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from telephony.app.agent_handoffs import check_handoffs, reachable
from telephony.app.agent_transfers import why_not_playable
from telephony.app.agents import LoadedAgent, load_agents
from telephony.app.codec_checks import codec_problems
from telephony.app.files import display_name, list_yaml, read_file, why_not_writable
from telephony.app.hosted_checks import (
    check_hosted,
    doubts_of_hosted,
    hosted_trunk,
    with_hosted_hint,
)
from telephony.app.model_reader import REHEARSAL
from telephony.app.processing_checks import check_processing
from telephony.app.recording_checks import check_recording
from telephony.app.settings import Settings
from telephony.app.settings_sources import LoadedSettings, find_config, load_settings
from telephony.app.stack_checks import check_stack
from telephony.app.transcribe_settings import check_transcribe
from telephony.app.trunk_checks import check_identity, check_tls, check_trunks, doubts
from telephony.app.trunks import LoadedTrunk, load_trunks
from telephony.base.errors import ConfigError, Problem
from telephony.base.schema_problems import did_you_mean
from telephony.calls.agent import Agent
from telephony.dialplan import Dialplan, parse_dialplan
from telephony.rehearsal.scenario import SCENARIO_FOLDER, load_scenario
from telephony.stacks.capabilities import CAPABILITIES
from telephony.stacks.trunk import Trunk


@dataclass(frozen=True, slots=True)
class Configuration:
    """What ``serve`` needs; ``agents`` are those whose secrets are known.

    ``trunks`` are those that are enabled, ``trunks_off`` the names of the others.

    An agent whose ``base_url`` is ``rehearsal`` still has to be given the model's address.
    """

    file: Path
    settings: Settings
    agents: Mapping[str, Agent]
    dialplan: Dialplan
    warnings: tuple[Problem, ...]
    trunks: tuple[Trunk, ...] = ()
    trunks_off: tuple[str, ...] = ()


def load_configuration(file: Path | None, environ: Mapping[str, str]) -> Configuration:
    """Read settings, agents, trunks, dialplan and sounds; raise ConfigError with all problems.

    ``file`` None means the usual places, see :func:`find_config`.
    """
    loaded = load_settings(find_config(file, environ), environ)
    settings = loaded.settings
    if loaded.problems and loaded.document.data is None:
        raise ConfigError(loaded.problems)
    trunks, trunk_problems = _load_trunks(loaded, environ)
    trunk_names = {trunk.name for trunk in trunks}
    agents, problems = load_agents(settings, environ, trunk_names)
    agent_names = {agent.name for agent in agents}
    callers = trunk_names | hosted_trunk(settings)
    dialplan, dialplan_problems = _load_dialplan(settings, agent_names, callers)
    problems = [*loaded.problems, *problems, *trunk_problems]
    problems += [problem for agent in agents for problem in agent.problems]
    problems += with_hosted_hint(loaded, dialplan_problems)
    warnings = [*loaded.warnings, *(w for agent in agents for w in agent.warnings)]
    problems += check_handoffs(agents)
    if dialplan is not None:
        problems += _check_context(dialplan, loaded)
        problems += _check_sounds(dialplan)
        problems += _check_variables(dialplan, agents)
        used = reachable(agents, {reference.name for reference in dialplan.agents})
        problems += (m for agent in agents if agent.name in used for m in agent.missing)
        warnings += _unused_without_secrets(agents, used)
    problems += _check_scenario(loaded, agents)
    problems += _check_codecs(loaded)
    problems += _check_writable(loaded)
    problems += check_recording(loaded, dialplan, environ)
    problems += check_transcribe(loaded, environ)
    problems += (*check_tls(loaded), *check_identity(loaded, trunks), *check_trunks(loaded, trunks))
    problems += check_stack(loaded, trunks, agents, dialplan)
    problems += check_processing(loaded, trunks)
    problems += check_hosted(loaded, agents, dialplan, trunk_names, environ)
    warnings += doubts(loaded, trunks, dialplan)
    warnings += doubts_of_hosted(loaded, agents, dialplan)
    warnings += _few_ports(loaded)
    if problems or dialplan is None:
        raise ConfigError(problems)
    ready = {a.name: a.agent for a in agents if a.agent is not None and not a.missing}
    return Configuration(
        loaded.file,
        settings,
        ready,
        dialplan,
        tuple(warnings),
        tuple(item.trunk for item in trunks if item.trunk is not None),
        tuple(item.name for item in trunks if not item.enabled),
    )


def load_routing(file: Path | None, environ: Mapping[str, str]) -> tuple[Settings, Dialplan]:
    """Read what routing a call needs, without looking at the agents' secrets and tools.

    Raises ConfigError.
    """
    loaded = load_settings(find_config(file, environ), environ)
    if loaded.problems and loaded.document.data is None:
        raise ConfigError(loaded.problems)
    dialplan, problems = _load_dialplan(loaded.settings, None, None)
    problems = [*loaded.problems, *problems]
    if dialplan is not None:
        problems += _check_context(dialplan, loaded)
    if problems or dialplan is None:
        raise ConfigError(problems)
    return loaded.settings, dialplan


def load_trunks_again(file: Path | None, environ: Mapping[str, str]) -> tuple[Trunk, ...]:
    """Read the trunks that are enabled now; raises ConfigError."""
    _, trunks = load_trunks_checked(file, environ)
    return tuple(item.trunk for item in trunks if item.trunk is not None)


def load_trunks_checked(
    file: Path | None, environ: Mapping[str, str]
) -> tuple[Settings, list[LoadedTrunk]]:
    """Read settings and trunks, and nothing else; raises ConfigError."""
    loaded = load_settings(find_config(file, environ), environ)
    trunks, problems = _load_trunks(loaded, environ)
    problems = [*loaded.problems, *problems]
    problems += (*check_tls(loaded), *check_identity(loaded, trunks), *check_trunks(loaded, trunks))
    problems += check_stack(loaded, trunks, (), None)
    problems += check_processing(loaded, trunks)
    if problems:
        raise ConfigError(problems)
    return loaded.settings, trunks


def _load_trunks(
    loaded: LoadedSettings, environ: Mapping[str, str]
) -> tuple[list[LoadedTrunk], list[Problem]]:
    # Nobody needs trunks: only a directory that was named has to be there.
    named = loaded.names(("trunks", "dir"))
    trunks, problems = load_trunks(loaded.settings, environ, required=named)
    return trunks, [*problems, *(problem for trunk in trunks for problem in trunk.problems)]


def _load_dialplan(
    settings: Settings, agents: Collection[str] | None, trunks: Collection[str] | None
) -> tuple[Dialplan | None, list[Problem]]:
    directory = Path(settings.dialplan.dir)
    listed = list_yaml(directory, "dialplan.dir")
    if isinstance(listed, Problem):
        return None, [listed]
    if not listed:
        fix = "put a file such as main.yaml there"
        name = display_name(directory)
        return None, [Problem(name, 0, 0, "dialplan.dir", "the directory holds no dialplan", fix)]
    contents = [(display_name(path), read_file(path)) for path in listed]
    unreadable = [content for _, content in contents if isinstance(content, Problem)]
    sources = [(name, content) for name, content in contents if isinstance(content, bytes)]
    sounds = Path(settings.dialplan.sounds_dir or directory)
    try:
        dialplan = parse_dialplan(
            sources, agents=agents, trunks=trunks, sound_path=lambda name: str(sounds / name)
        )
    except ConfigError as error:
        return None, [*unreadable, *error.problems]
    return (None if unreadable else dialplan), unreadable


def _check_context(dialplan: Dialplan, loaded: LoadedSettings) -> Iterator[Problem]:
    name = loaded.settings.dialplan.context
    if name not in dialplan.contexts:
        fix = did_you_mean(name, dialplan.contexts)
        message = f"the dialplan has no context {name!r}"
        yield loaded.problem(("dialplan", "context"), message, fix)


def _check_sounds(dialplan: Dialplan) -> Iterator[Problem]:
    for reference in dialplan.sounds:
        if problem := why_not_playable(reference.name):
            yield reference.problem(*problem)


def _check_variables(dialplan: Dialplan, agents: list[LoadedAgent]) -> Iterator[Problem]:
    """A rule may only set what the file of its agent has under ``variables``."""
    known = {loaded.name: loaded.agent.variables for loaded in agents if loaded.agent is not None}
    for use in dialplan.variables:
        variables = known.get(use.agent)
        if variables is not None and use.variable.name not in variables:
            message = f"agent {use.agent!r} has no variable {use.variable.name!r}"
            fix = did_you_mean(use.variable.name, variables)
            yield use.variable.problem(message, fix or "add it to variables in the agent's file")


def _check_scenario(loaded: LoadedSettings, agents: list[LoadedAgent]) -> Iterator[Problem]:
    name = loaded.settings.rehearsal.scenario
    sources = [source for loaded in agents if loaded.agent for source in loaded.agent.sources]
    if not any(source.base_url == REHEARSAL for source in sources):
        return
    shipped = [path.stem for path in SCENARIO_FOLDER.glob("*.yaml")]
    if not name.endswith(".yaml"):
        if name not in shipped:
            message = f"there is no scenario {name!r}"
            fix = did_you_mean(name, shipped)
            yield loaded.problem(("rehearsal", "scenario"), message, fix)
        return
    try:
        load_scenario(Path(name))
    except ConfigError as error:
        yield from error.problems


def _check_codecs(loaded: LoadedSettings) -> Iterator[Problem]:
    media = loaded.settings.media
    for message, fix in codec_problems(media.codecs, media.ptime_ms):
        yield loaded.problem(("media", "codecs"), message, fix)


def _check_writable(loaded: LoadedSettings) -> Iterator[Problem]:
    recordings, records = loaded.settings.media.recording_dir, loaded.settings.cdr.file
    wanted = [
        (("media", "recording_dir"), Path(recordings) if recordings else None),
        (("cdr", "file"), Path(records).parent if records else None),
    ]
    for key, directory in wanted:
        if directory is not None and (reason := why_not_writable(directory)):
            fix = "give this user the right to write there, or choose another place"
            yield loaded.problem(key, reason, fix)


def _unused_without_secrets(agents: list[LoadedAgent], used: set[str]) -> Iterator[Problem]:
    for agent in agents:
        for problem in agent.missing if agent.name not in used else ():
            message = f"{problem.message}; no extension uses agent {agent.name!r} yet"
            yield Problem(
                problem.file, problem.line, problem.column, problem.key, message, problem.fix
            )


def _few_ports(loaded: LoadedSettings) -> Iterator[Problem]:
    media, limits = loaded.settings.media, loaded.settings.limits
    if not CAPABILITIES[loaded.settings.sip.stack].ours:
        # How many calls there are room for is known when the library is up, and never so many.
        return
    pairs = (media.port_max + 1 - media.port_min - media.port_min % 2) // 2
    if pairs < limits.max_calls:
        message = f"{pairs} pairs of RTP ports are fewer than limits.max_calls, {limits.max_calls}"
        fix = f"calls beyond {pairs} get 503; widen port_min to port_max"
        yield loaded.problem(("media", "port_max"), message, fix)
