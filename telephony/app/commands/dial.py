"""``telephony dial``: let an agent call somebody over a trunk."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import re
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from telephony.app.preflight import Configuration, load_configuration
from telephony.app.running import run_loop, with_rehearsal_model
from telephony.app.server import Server
from telephony.app.settings import Settings
from telephony.base.dialing import DialOutcome, DialRequest
from telephony.base.errors import TelephonyError
from telephony.base.schema_problems import did_you_mean
from telephony.calls.outbound import CannotPlace, OutboundCall
from telephony.net.clock import monotonic
from telephony.observe.logs import configure_logs
from telephony.stacks.trunk import Trunk
from telephony.stacks.trunks.addressing import is_dialable

HELP = "let an agent call a number or SIP address over a trunk"

EXIT_STATUS: dict[DialOutcome, int] = {
    "failed": 1,
    "busy": 3,
    "no_answer": 4,
    "rejected": 5,
    "not_found": 6,
    "unreachable": 7,
}
"""0 is a call that was answered, 2 wrong arguments."""


class WrongArgument(TelephonyError):  # noqa: N818 - what was written, not a fault
    """There is no such agent or trunk."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="+15550100, or sip:alice@pbx.example.com")
    parser.add_argument(
        "--agent", metavar="NAME", help="who talks (the only agent, if there is one)"
    )
    parser.add_argument(
        "--trunk",
        action="append",
        default=[],
        metavar="NAME",
        help="the trunk to use; again for those to try after it (default: all of them)",
    )
    parser.add_argument(
        "--caller-id", type=_caller_id, default="", metavar="NUMBER", help="the number shown"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=60.0,
        metavar="S",
        help="how long it may ring (%(default)s)",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="config/telephony.yaml")
    parser.epilog = (
        "exit status: 0 answered, 3 busy, 4 no answer, 5 rejected, 6 no such number, "
        "7 unreachable, 1 failed otherwise, 130 ended by Ctrl-C"
    )


def _caller_id(text: str) -> str:
    bare = re.sub(r"[ ().-]", "", text)
    if text and not re.fullmatch(r"\+?[0-9]{1,20}", bare):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; write +15550100")
    return bare


def run(args: argparse.Namespace) -> int:
    """Return 0 after a call that was answered, else what :data:`EXIT_STATUS` says.

    A call that a signal ended returns what a process returns that the signal ended.
    """
    if not is_dialable(args.target):
        print(f"telephony dial: {args.target!r} is no number and no SIP URI", file=sys.stderr)
        return 2
    configuration = load_configuration(args.config, os.environ)
    configure_logs("console", "error")
    try:
        agent = choose_agent(args.agent, configuration)
        check_trunks(args.trunk, configuration)
    except WrongArgument as error:
        print(f"telephony dial: {error}", file=sys.stderr)
        return 2
    request = DialRequest(
        args.target,
        tuple(args.trunk),
        caller_id=args.caller_id,
        ring_timeout_s=args.timeout,
    )
    return run_loop(_dial(configuration, request, agent))


def choose_agent(name: str | None, configuration: Configuration) -> str:
    """Return the agent's name; raises WrongArgument."""
    agents = configuration.agents
    if name is None:
        if len(agents) == 1:
            return next(iter(agents))
        raise WrongArgument(f"say who talks: --agent {'|'.join(sorted(agents)) or 'NAME'}")
    if name not in agents:
        raise WrongArgument(f"there is no agent {name!r}: {did_you_mean(name, agents)}")
    return name


def check_trunks(names: list[str], configuration: Configuration) -> None:
    """Raise WrongArgument for a trunk that there is not."""
    known = [trunk.name for trunk in configuration.trunks]
    for name in names:
        if name in configuration.trunks_off:
            raise WrongArgument(f"trunk {name!r} is not enabled")
        if name not in known:
            fix = did_you_mean(name, known) or "none are configured"
            raise WrongArgument(f"there is no trunk {name!r}: {fix}")


def beside_the_bot(settings: Settings) -> Settings:
    """Return settings with ports of their own: the bot may be running."""
    free = {key: 0 for key in ("udp_port", "tcp_port") if getattr(settings.sip, key) is not None}
    sip = settings.sip.model_copy(update={**free, "tls_port": None})
    http = settings.http.model_copy(update={"port": None})
    return settings.model_copy(update={"sip": sip, "http": http})


def for_one_call(trunk: Trunk) -> Trunk:
    """Return the trunk without registration: that is the running bot's."""
    return replace(trunk, register=None, keepalive=None)


async def _dial(configuration: Configuration, request: DialRequest, agent: str) -> int:
    settings = beside_the_bot(configuration.settings)
    trunks = [for_one_call(trunk) for trunk in configuration.trunks]
    async with AsyncExitStack() as resources:
        rehearsal = settings.rehearsal
        agents, _ = await with_rehearsal_model(
            configuration.agents, rehearsal.scenario, 0, resources
        )
        server = await resources.enter_async_context(
            Server(
                settings,
                configuration.dialplan,
                agents,
                trunks,
                config_file=configuration.file,
            )
        )
        progress = Progress()
        try:
            call = server.originator.place(request, agent, progress)
        except CannotPlace as error:
            print(f"not called: {error}", file=sys.stderr)
            return EXIT_STATUS["failed"]
        return await _follow(call, progress)


class Progress:
    """Prints how a call is getting on, each line with the seconds since it was begun."""

    def __init__(self) -> None:
        self._began_at = monotonic()

    def say(self, what: str) -> None:
        print(f"{monotonic() - self._began_at:6.1f} s  {what}", flush=True)

    def call_rings(self) -> None:
        self.say("ringing")

    def early_media_began(self) -> None:
        self.say("early media")

    def hear_early_media(self, frame: bytes, now: float) -> None:
        """It is in the recording, if there is one."""


async def _follow(call: OutboundCall, progress: Progress) -> int:
    """Tell how the call goes until it is over; Ctrl-C ends it."""
    loop = asyncio.get_running_loop()
    signals: list[int] = []

    def stop(number: int) -> None:
        signals.append(number)
        call.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    progress.say(f"calling {call.request.target}")
    answered = await call.answered()
    if answered:
        progress.say("answered")
    ending = await call.finished()
    words = ending.cause.replace("_", " ")
    if answered and call.answered_at is not None and call.ended_at is not None:
        progress.say(f"{words}, talked {call.ended_at - call.answered_at:.1f} s")
        return 128 + signals[0] if signals else 0
    failure = call.failure
    if failure is None:
        print(f"not answered: {words}", file=sys.stderr)
        return 128 + signals[0] if signals else EXIT_STATUS["failed"]
    print(f"not answered: {str(failure).replace('_', ' ')}", file=sys.stderr)
    return EXIT_STATUS[failure.outcome]


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return seconds
