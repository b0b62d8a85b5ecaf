"""One event loop for the life of the process: start, serve, drain on a signal, leave."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from telephony.app.model_apis import OPENAI_REALTIME
from telephony.app.rehearsals import start_rehearsals
from telephony.app.server import Server
from telephony.base.errors import ConfigError
from telephony.calls.agent import Agent
from telephony.net.tls import CertificateProblem
from telephony.rehearsal.scenario import Scenario, load_scenario, shipped_scenario
from telephony.stacks.trunk import Trunk

if TYPE_CHECKING:
    from telephony.rehearsal.model_server import ModelServer

log = structlog.get_logger()

Result = TypeVar("Result")


def run_loop(main: Coroutine[Any, Any, Result]) -> Result:
    """Run ``main`` on uvloop where it exists, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def settle_memory() -> None:
    """Keep the collector from walking what lives as long as the process.

    A full collection of the start-up's objects takes longer than a frame lasts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def scenario_named(name: str) -> Scenario:
    """Return a shipped scenario, or the one in a file that ends in ``.yaml``."""
    return load_scenario(Path(name)) if name.endswith(".yaml") else shipped_scenario(name)


async def with_rehearsal_model(
    agents: Mapping[str, Agent], scenario: str, port: int, resources: AsyncExitStack
) -> tuple[dict[str, Agent], ModelServer | None]:
    """Start the built-in models that agents need, and give those agents their addresses.

    Returns the agents and the server of OpenAI Realtime, if it is among them.
    """
    addressed, servers = await start_rehearsals(agents, scenario_named(scenario), port, resources)
    if OPENAI_REALTIME not in servers:
        return addressed, None
    from telephony.rehearsal.model_server import ModelServer

    model = servers[OPENAI_REALTIME]
    assert isinstance(model, ModelServer)
    return addressed, model


async def serve_until_signal(
    server: Server, load_trunks: Callable[[], Sequence[Trunk]] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the calls at once.

    SIGHUP takes the trunks that ``load_trunks`` reads then, and the certificates as they are then.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    hurried = asyncio.Event()

    def on_signal(name: str) -> None:
        (hurried if asked.is_set() else asked).set()
        log.info("signal.received", signal=name, active_calls=server.reception.active_calls)

    reload_asked = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, reload_asked.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number.name)
    reloading = asyncio.create_task(_reload_when_asked(server, reload_asked, load_trunks))
    try:
        await asked.wait()
        reloading.cancel()
        await _drain(server, hurried)
    finally:
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def _reload_when_asked(
    server: Server, asked: asyncio.Event, load_trunks: Callable[[], Sequence[Trunk]] | None
) -> None:
    while True:
        await asked.wait()
        asked.clear()
        await reload_trunks(server, load_trunks)


async def reload_trunks(server: Server, load_trunks: Callable[[], Sequence[Trunk]] | None) -> None:
    """Read trunks and certificates again; with a mistake in them everything stays as it is."""
    valid_until = server.signalling.side.certificate_valid_until
    try:
        # Reading files takes longer than a frame lasts; calls are going on.
        loading = asyncio.to_thread(load_trunks) if load_trunks is not None else None
        trunks = server.trunks if loading is None else await loading
        changes = await server.reload(trunks)
    except ConfigError as error:
        for problem in error.problems:
            log.error("reload.refused", file=problem.file, line=problem.line, problem=str(problem))
    except CertificateProblem as error:
        log.error("reload.refused", file=error.file, problem=error.reason)
    else:
        renewed = server.signalling.side.certificate_valid_until
        log.info(
            "reload.finished",
            certificate_renewed=renewed != valid_until,
            certificate_valid_until=renewed.isoformat() if renewed else None,
            trunks_added=changes.added,
            trunks_removed=changes.removed,
            trunks_changed=changes.changed,
        )


async def _drain(server: Server, hurried: asyncio.Event) -> None:
    deadline_s = server.settings.limits.drain_s
    log.info("drain.started", deadline_s=deadline_s, active_calls=server.reception.active_calls)
    drain = asyncio.create_task(server.drain())
    hurry = asyncio.create_task(hurried.wait())
    await asyncio.wait({drain, hurry}, return_when=asyncio.FIRST_COMPLETED)
    finished = drain.done() and await drain
    for task in (drain, hurry):
        task.cancel()
    await asyncio.gather(drain, hurry, return_exceptions=True)
    log.info("drain.finished", every_call_finished=finished)
