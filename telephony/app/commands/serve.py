"""``telephony serve``: answer the phone."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from telephony.app.open_files import allow_open_files
from telephony.app.preflight import Configuration, load_configuration, load_trunks_again
from telephony.app.running import run_loop, serve_until_signal, settle_memory, with_rehearsal_model
from telephony.app.server import Server
from telephony.app.settings import Settings
from telephony.app.stack_argument import add_stack_argument, with_stack
from telephony.app.worker_ports import worker_variables
from telephony.app.workers import (
    MAX_WORKERS,
    Workers,
    end_with_parent,
    own_trunks,
    serve_command,
    worker_index,
)
from telephony.base.errors import Problem
from telephony.net.listen import PortInUse
from telephony.observe.logs import configure_logs
from telephony.sip.flow import Address
from telephony.sip.values import bracketed_host

HELP = "answer calls until SIGTERM, then drain"

log = structlog.get_logger()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="config/telephony.yaml")
    add_stack_argument(parser)
    parser.add_argument(
        "--workers",
        type=_worker_count,
        default=1,
        metavar="N",
        help="so many processes, each on ports of its own",
    )


def _worker_count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MAX_WORKERS:
        raise argparse.ArgumentTypeError(f"it must be 1 to {MAX_WORKERS}")
    return number


def run(args: argparse.Namespace) -> int:
    environ = with_stack(os.environ, args.stack)
    configuration = load_configuration(args.config, environ)
    settings = configuration.settings
    configure_logs(settings.log.format, settings.log.level)
    if (worker := worker_index(environ)) is None:
        _tell_doubts(configuration.warnings)
    else:
        structlog.contextvars.bind_contextvars(worker=worker)
    if args.workers > 1:
        return _run_workers(args, settings)
    allow_open_files(settings.limits.max_calls)
    try:
        run_loop(_serve(configuration, args.config, environ))
    except PortInUse as error:
        print(f"telephony serve: {error}", file=sys.stderr)
        print("    fix: stop that process, or choose another port in the config", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"telephony serve: cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _tell_doubts(warnings: Sequence[Problem]) -> None:
    for warning in warnings:
        log.warning(
            "configuration.doubted",
            file=warning.file,
            # A variable, or a whole file, has no line.
            **({"line": warning.line} if warning.line else {}),
            key=warning.key,
            problem=warning.message,
            fix=warning.fix,
        )


def _run_workers(args: argparse.Namespace, settings: Settings) -> int:
    variables = worker_variables(settings, args.workers)
    arguments = ["--config", str(args.config)] if args.config is not None else []
    arguments += ["--stack", args.stack] if args.stack is not None else []
    return asyncio.run(Workers(serve_command(arguments), variables).run())


async def _serve(
    configuration: Configuration, file: Path | None, environ: Mapping[str, str]
) -> None:
    settings = configuration.settings
    if worker_index(environ) is not None:
        end_with_parent(asyncio.get_running_loop())
    async with AsyncExitStack() as resources:
        rehearsal = settings.rehearsal
        agents, _ = await with_rehearsal_model(
            configuration.agents, rehearsal.scenario, rehearsal.port, resources
        )
        server = await resources.enter_async_context(
            Server(
                settings,
                configuration.dialplan,
                agents,
                own_trunks(configuration.trunks, environ),
                config_file=configuration.file,
            )
        )
        settle_memory()
        side = server.signalling.side
        log.info(
            "server.started",
            config=str(configuration.file),
            sip_stack=settings.sip.stack,
            max_calls=server.max_calls,
            sip_udp=_text(side.bound("udp")),
            sip_tcp=_text(side.bound("tcp")),
            sip_tls=_text(side.bound("tls")),
            http=_text([server.http] if server.http else []),
            agents=sorted(agents),
            trunks=[trunk.name for trunk in configuration.trunks],
        )
        await serve_until_signal(
            server, lambda: own_trunks(load_trunks_again(file, environ), environ)
        )
    log.info("server.stopped")


def _text(addresses: Iterable[Address]) -> str | None:
    """Return the addresses in one string, None when there is none."""
    return ", ".join(f"{bracketed_host(host)}:{port}" for host, port in addresses) or None
