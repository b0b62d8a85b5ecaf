"""``telephony check``: every mistake in settings, agents, trunks and dialplan at once."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from telephony.app.files import display_name
from telephony.app.model_reader import REHEARSAL
from telephony.app.preflight import Configuration, load_configuration
from telephony.app.settings import Settings
from telephony.app.settings_mapping import unknown_sources
from telephony.app.settings_sources import BUILT_IN, find_config
from telephony.app.web_settings import HostedSip, Tokens
from telephony.base.errors import ConfigError
from telephony.calls.agent import Agent
from telephony.net.mcp_server import McpServer
from telephony.sip.values import bracketed_host
from telephony.stacks.capabilities import CAPABILITIES
from telephony.stacks.trunks.directory import TrunkDirectory

HELP = "find every mistake in settings, agents, trunks and dialplan"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="config/telephony.yaml")


def run(args: argparse.Namespace) -> int:
    """Return 0 when the bot could start with this configuration, else 1."""
    try:
        configuration = load_configuration(args.config, os.environ)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        count = len(error.problems)
        print(f"\n{count} mistake{'s' if count > 1 else ''}", file=sys.stderr)
        return 1
    for warning in configuration.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.config is None and find_config(None, os.environ) == BUILT_IN:
        print(_nothing_here(configuration))
    print(summary(configuration))
    return 0


def _nothing_here(configuration: Configuration) -> str:
    """Say that what is checked is the package's own; a variable may still name another dialplan."""
    settings = configuration.settings
    places = (settings.agents.dir, settings.dialplan.dir)
    own = all(Path(place).is_relative_to(BUILT_IN.parent) for place in places)
    calls = ", every call goes to the rehearsal model" if own else ""
    return f"no config/telephony.yaml here: built-in settings{calls}"


def summary(configuration: Configuration) -> str:
    settings = configuration.settings
    sip = settings.sip
    can = CAPABILITIES[sip.stack]
    ports = {"udp": sip.udp_port, "tcp": sip.tcp_port, "tls": sip.tls_port}
    listening = [
        f"{name} {bracketed_host(host)}:{port}"
        for host in sip.host
        for name, port in ports.items()
        if port is not None and name in can.transports
    ]
    http = settings.http
    media = settings.media
    spoken_by = "" if sip.stack == "native" else f" (stack {sip.stack})"
    lines = {
        "sip": ", ".join(listening) + spoken_by,
        "rtp": f"ports {media.port_min} to {media.port_max}, {', '.join(media.codecs)}",
        "http": "off" if http.port is None else f"{http.host}:{http.port}",
        "agents": ", ".join(map(_agent, configuration.agents.values())) or "none ready",
        "trunks": _trunks(configuration),
        "dialplan": _dialplan(configuration),
    }
    lines.update(_web(configuration.settings))
    rows = [f"  {name:<10}{text}" for name, text in lines.items()]
    return "\n".join([f"{display_name(configuration.file)} is good", *rows])


def _web(settings: Settings) -> dict[str, str]:
    """Return what is offered to others over HTTP."""
    hosted, tokens = settings.hosted_sip, settings.tokens
    lines = {}
    if hosted.enabled:
        lines["hosted"] = f"webhooks at {_place(settings, hosted)}, trunk {hosted.trunk}"
    if tokens.enabled:
        lines["tokens"] = f"{_place(settings, tokens)} for {', '.join(tokens.agents)}"
    return lines


def _place(settings: Settings, section: HostedSip | Tokens) -> str:
    shared = section.port is None
    host, port = (
        (settings.http.host, settings.http.port) if shared else (section.host, section.port)
    )
    return f"{'https' if section.tls else 'http'}://{bracketed_host(host)}:{port}{section.path}"


def _agent(agent: Agent) -> str:
    models = [
        "built-in model" if source.base_url == REHEARSAL else source.model.model
        for source in agent.sources
    ]
    tools = [tool.name for tool in agent.tools] + ["hangup"] * agent.can_hang_up
    servers = (source for source in agent.tools.sources if isinstance(source, McpServer))
    tools += [f"tools of {server.name}" for server in servers]
    return f"{agent.name} ({'; '.join([', then '.join(models), *tools])})"


def _trunks(configuration: Configuration) -> str:
    names = [trunk.name for trunk in configuration.trunks]
    names += [f"{name} (off)" for name in configuration.trunks_off]
    strangers = unknown_sources(
        configuration.settings.security, TrunkDirectory(configuration.trunks).identifies_peers
    )
    verbs = {"accept": "accepted", "reject": "rejected", "drop": "dropped"}
    return f"{', '.join(names) or 'none'}; calls of strangers are {verbs[strangers]}"


def _dialplan(configuration: Configuration) -> str:
    contexts = configuration.dialplan.contexts
    counts = [f"{name} ({len(extensions)})" for name, extensions in contexts.items()]
    start = configuration.settings.dialplan.context
    return f"extensions in {', '.join(counts)}; calls start in {start}"
