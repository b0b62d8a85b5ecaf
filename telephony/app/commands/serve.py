"""``telephony serve``: answer the phone."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from telephony.app.open_files import allow_open_files
from telephony.app.preflight import Configuration, load_configuration, load_trunks_again
from telephony.app.running import run_loop, serve_until_signal, settle_memory, with_rehearsal_model
from telephony.app.server import Server
from telephony.net.listen import PortInUse
from telephony.observe.logs import configure_logs
from telephony.sip.flow import Address
from telephony.sip.values import bracketed_host

HELP = "answer calls until SIGTERM, then drain"

log = structlog.get_logger()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="config/telephony.yaml")


def run(args: argparse.Namespace) -> int:
    configuration = load_configuration(args.config, os.environ)
    settings = configuration.settings
    configure_logs(settings.log.format, settings.log.level)
    for warning in configuration.warnings:
        log.warning(
            "configuration.doubted",
            file=warning.file,
            line=warning.line,
            key=warning.key,
            problem=warning.message,
            fix=warning.fix,
        )
    allow_open_files(settings.limits.max_calls)
    try:
        run_loop(_serve(configuration, args.config))
    except PortInUse as error:
        print(f"telephony serve: {error}", file=sys.stderr)
        print("    fix: stop that process, or choose another port in the config", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"telephony serve: cannot start: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(configuration: Configuration, file: Path | None) -> None:
    settings = configuration.settings
    async with AsyncExitStack() as resources:
        rehearsal = settings.rehearsal
        agents, _ = await with_rehearsal_model(
            configuration.agents, rehearsal.scenario, rehearsal.port, resources
        )
        server = await resources.enter_async_context(
            Server(settings, configuration.dialplan, agents, configuration.trunks)
        )
        settle_memory()
        side = server.signalling.side
        log.info(
            "server.started",
            config=str(configuration.file),
            stack=settings.sip.stack,
            max_calls=server.max_calls,
            sip_udp=_text(side.bound("udp")),
            sip_tcp=_text(side.bound("tcp")),
            sip_tls=_text(side.bound("tls")),
            http=_text([server.http] if server.http else []),
            agents=sorted(agents),
            trunks=[trunk.name for trunk in configuration.trunks],
        )
        await serve_until_signal(server, lambda: load_trunks_again(file, os.environ))
    log.info("server.stopped")


def _text(addresses: Iterable[Address]) -> str | None:
    """Return the addresses in one string, None when there is none."""
    return ", ".join(f"{bracketed_host(host)}:{port}" for host, port in addresses) or None
