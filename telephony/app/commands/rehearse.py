"""``telephony rehearse``: the built-in model alone, for any OpenAI Realtime client."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

from telephony.app.running import run_loop, scenario_named
from telephony.base.errors import TelephonyError
from telephony.rehearsal.model_server import serve
from telephony.rehearsal.scenario import SCENARIO_FOLDER, Scenario
from telephony.rehearsal.server_variant import OPENAI, SERVER_VARIANTS
from telephony.rehearsal.speech.speech_server import serve_speech

HELP = "run the built-in realtime model alone, for clients of the OpenAI Realtime API"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8765, help="port; 0 is any free one (%(default)s)"
    )
    parser.add_argument(
        "--speech-port",
        type=_port,
        metavar="PORT",
        help="be Deepgram, ElevenLabs and OpenAI's audio API as well, here; 0 is any free one",
    )
    parser.add_argument(
        "--scenario",
        default="default",
        metavar="NAME|FILE",
        help="what the model does: a scenario of the package, or a .yaml file (%(default)s)",
    )
    parser.add_argument(
        "--variant",
        choices=sorted(SERVER_VARIANTS),
        default=OPENAI.name,
        help="the server to stand in for (%(default)s)",
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
    run_loop(_rehearse(args, api_key))
    return 0


async def _rehearse(args: argparse.Namespace, api_key: str | None) -> None:
    scenario = _scenario(args.scenario)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as resources:
        variant = SERVER_VARIANTS[args.variant]
        serving = serve(args.host, args.port, scenario, api_key=api_key, variant=variant)
        with _port_named(args.host, args.port):
            server = await resources.enter_async_context(serving)
        print(f"base_url: {server.base_url}\nwebsocket: {server.websocket_url}", flush=True)
        if args.speech_port is not None:
            speaking = serve_speech(args.host, args.speech_port, api_key=api_key)
            with _port_named(args.host, args.speech_port):
                speech = await resources.enter_async_context(speaking)
            print(f"speech: {speech.url}\nspeech (OpenAI): {speech.openai_url}", flush=True)
        await stop.wait()


@contextmanager
def _port_named(host: str, port: int) -> Iterator[None]:
    """Raise TelephonyError with the place that cannot be listened on."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise TelephonyError(f"cannot listen on {host} port {port}: {reason}") from error


def _scenario(name: str) -> Scenario:
    shipped = sorted(path.stem for path in SCENARIO_FOLDER.glob("*.yaml"))
    if not name.endswith(".yaml") and name not in shipped:
        known = ", ".join(shipped)
        raise TelephonyError(f"no scenario {name!r}; known: {known}, or give a .yaml file")
    return scenario_named(name)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; write 0 to 65535")
    return int(text)
