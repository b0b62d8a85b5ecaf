"""``telephony rehearse``: the built-in model alone, for any OpenAI Realtime client."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

from telephony.app.running import run_loop, scenario_named
from telephony.rehearsal.model_server import serve

HELP = "run the built-in realtime model alone, for clients of the OpenAI Realtime API"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8765, help="port; 0 is any free one (%(default)s)"
    )
    parser.add_argument(
        "--scenario",
        default="default",
        metavar="NAME|FILE",
        help="what the model does: a scenario of the package, or a .yaml file (%(default)s)",
    )
    parser.add_argument(
        "--key-variable",
        metavar="NAME",
        help="ask clients for the key in this environment variable; else any key is good",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    api_key = None
    if args.key_variable is not None:
        api_key = os.environ.get(args.key_variable)
        if not api_key:
            print(f"telephony rehearse: {args.key_variable} is not set", file=sys.stderr)
            return 1
    try:
        run_loop(_rehearse(args, api_key))
    except OSError as error:
        place = f"{args.host} port {args.port}"
        print(f"telephony rehearse: cannot listen on {place}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


async def _rehearse(args: argparse.Namespace, api_key: str | None) -> None:
    scenario = scenario_named(args.scenario)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serve(args.host, args.port, scenario, api_key=api_key) as server:
        print(f"base_url: {server.base_url}\nwebsocket: {server.websocket_url}", flush=True)
        await stop.wait()
