"""``telephony demo``: the bot calls itself, prints the call as it happens, and goes on serving."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

from telephony.app.live_view import LiveView, Print
from telephony.app.preflight import Configuration, load_configuration
from telephony.app.running import run_loop, serve_until_signal, settle_memory, with_rehearsal_model
from telephony.app.server import Server
from telephony.app.settings_sources import BUILT_IN
from telephony.app.stack_argument import add_stack_argument, with_stack
from telephony.audio.format import L16_8K
from telephony.audio.wav import interleave, write_wav
from telephony.base.interfaces import MediaStats
from telephony.net.clock import monotonic
from telephony.net.listen import Address, is_wildcard, local_address_towards
from telephony.observe.logs import configure_logs
from telephony.rehearsal.caller import CallFailed, SipCaller
from telephony.rehearsal.demo_call import STOPPED_WITHIN_S, DemoOutcome, converse
from telephony.rehearsal.model_server import ModelServer
from telephony.rehearsal.phone import telephone

HELP = "let the bot call itself once, print the call, go on serving"

HEARD_AT_LEAST_S = 1.0

EXIT_NOBODY_READS = 141
"""128 and the number of SIGPIPE, as shells have it."""

# A documentation address (RFC 5737): asking for the route to it sends nothing.
_FAR_AWAY = ("192.0.2.1", 9)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="end after the call")
    parser.add_argument(
        "--config",
        type=Path,
        default=BUILT_IN,
        metavar="FILE",
        help="yours; by default a built-in one that needs no key",
    )
    add_stack_argument(parser)
    parser.add_argument(
        "--record", type=Path, default=Path("out/demo.wav"), metavar="WAV", help="two channels"
    )


def run(args: argparse.Namespace) -> int:
    configure_logs("console", "warning")
    configuration = load_configuration(args.config, with_stack(os.environ, args.stack))
    try:
        args.record.parent.mkdir(parents=True, exist_ok=True)
        args.record.open("ab").close()
    except OSError as error:
        print(f"telephony demo: cannot record: {error}", file=sys.stderr)
        print("    fix: choose another file with --record", file=sys.stderr)
        return 1
    try:
        return run_loop(_demo(configuration, args))
    except BrokenPipeError:
        _forget_reader()
    except asyncio.CancelledError:
        pass
    return EXIT_NOBODY_READS


async def _demo(configuration: Configuration, args: argparse.Namespace) -> int:
    view = LiveView(monotonic, _print_or_cancel(asyncio.current_task()))
    settings = configuration.settings
    async with AsyncExitStack() as resources:
        rehearsal = settings.rehearsal
        agents, model = await with_rehearsal_model(
            configuration.agents, rehearsal.scenario, rehearsal.port, resources
        )
        server = await resources.enter_async_context(
            Server(settings, configuration.dialplan, agents, observer=view, next_free_port=True)
        )
        settle_memory()
        _introduce(server, model)
        passed = await _call_once(server, model, view, args.record)
        if not args.once:
            _invite(server)
            await serve_until_signal(server)
    return 0 if passed else 1


def _introduce(server: Server, model: ModelServer | None) -> None:
    print("One call, from INVITE to BYE, on this machine.\n")
    for what, wanted, bound in server.ports_replaced:
        print(f"  {what} port {wanted} is taken by another process; using {bound} instead")
    print(f"  bot      {_sip_address(server)} ({_transports(server)})")
    if (stack := server.settings.sip.stack) != "native":
        print(f"  stack    {stack}, at most {server.max_calls} calls at a time")
    if model is not None:
        print(f"  model    {model.websocket_url} (built in: no key, no internet)")
    if server.http is not None:
        print(f"  metrics  http://{server.http[0]}:{server.http[1]}/metrics")
    print()


async def _call_once(
    server: Server, model: ModelServer | None, view: LiveView, recording: Path
) -> bool:
    host, port = _sip_listener(server)
    host = "127.0.0.1" if is_wildcard(host) else host
    outcome = DemoOutcome()
    async with telephone(host, trace=view.trace) as caller:
        view.restart_clock()
        try:
            uri = f"sip:demo@{host}:{port}{_uri_parameters(server)}"
            await caller.dial(uri, f"sip:+15550199@{host}")
            outcome = await converse(caller, lambda text: view.note("caller", text))
        except CallFailed as failure:
            view.note("failed", str(failure))
        leg_stats = caller.media_stats()
        await caller.hang_up()
        await asyncio.sleep(0.2)
        _save(caller, recording)
        _summarise(caller, outcome, model, view, leg_stats, recording)
        return _judge(caller, outcome, view)


def _print_or_cancel(task: asyncio.Task[int] | None) -> Print:
    """Return a ``print`` that ends the task when whoever read it has gone (``| head``)."""

    def print_line(line: str) -> None:
        try:
            print(line, flush=True)
        except BrokenPipeError:
            _forget_reader()
            if task is not None:
                task.cancel()

    return print_line


def _forget_reader() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _save(caller: SipCaller, path: Path) -> None:
    stereo = interleave(bytes(caller.record.said), bytes(caller.record.heard))
    path.write_bytes(write_wav(stereo, L16_8K.sample_rate_hz, channels=2))


def _summarise(
    caller: SipCaller,
    outcome: DemoOutcome,
    model: ModelServer | None,
    view: LiveView,
    media: MediaStats,
    recording: Path,
) -> None:
    record = caller.record
    print("\nSummary")
    if record.answered_at is not None:
        _row("set-up", f"{(record.answered_at - record.dialled_at) * 1000:.0f} ms, INVITE to 200")
    if view.latencies:
        totals_ms = [latency.total_s * 1000 for latency in view.latencies]
        ours_ms = [latency.model_to_caller_s * 1000 for latency in view.latencies]
        _row("answers", f"{median(totals_ms):.0f} ms median, {max(totals_ms):.0f} ms at most")
        _row("of it ours", f"{median(ours_ms):.0f} ms median, {max(ours_ms):.0f} ms at most")
    for reason, seconds in view.barge_ins:
        _row("barge-in", f"{seconds * 1000:.0f} ms, voice to silence ({reason.replace('_', ' ')})")
    if outcome.stopped_after_s is not None:
        _row("as heard", f"{outcome.stopped_after_s * 1000:.0f} ms, first word to silence")
    if model is not None:
        for text, audio_ms in _cut_off(model):
            _row("memory", f"cut at {audio_ms:.0f} ms; the model knows it said “{text}”")
    _row(
        "RTP",
        f"{media.packets_sent} packets to the bot, {media.packets_received} back, "
        f"{media.packets_lost} lost, {media.packets_late} late",
    )
    _row("recording", f"{recording} (left: caller, right: bot)")


def _row(name: str, text: str) -> None:
    print(f"  {name:<11} {text}")


def _cut_off(model: ModelServer) -> list[tuple[str, float]]:
    """Return what the model remembers of every answer that was truncated."""
    return [
        (part.text, part.audio_ms)
        for session in model.sessions
        for item in session.conversation
        for part in item.content
        if part.truncated
    ]


def _judge(caller: SipCaller, outcome: DemoOutcome, view: LiveView) -> bool:
    heard_s = sum(spurt.ended_at - spurt.started_at for spurt in caller.record.talkspurts)
    turns = [text for role, text in view.transcripts if role == "user"]
    stopped_s = outcome.stopped_after_s
    stopped = stopped_s is not None and stopped_s <= STOPPED_WITHIN_S and bool(view.barge_ins)
    print()
    verdicts = [
        (heard_s >= HEARD_AT_LEAST_S, f"the caller heard the bot speak for {heard_s:.1f} s"),
        (bool(turns), f"the bot heard {len(turns)} turns of the caller"),
        (stopped, "the interruption stopped the bot"),
    ]
    for passed, text in verdicts:
        print(f"  {'PASS' if passed else 'FAIL'}  {text}")
    return all(passed for passed, _ in verdicts)


def _sip_address(server: Server) -> str:
    host, port = _sip_listener(server)
    if is_wildcard(host):
        try:
            host = local_address_towards(_FAR_AWAY)
        except OSError:
            host = "127.0.0.1"
    return f"sip:bot@{host}:{port}{_uri_parameters(server)}"


def _sip_listener(server: Server) -> Address:
    """Return where SIP comes in; settings without UDP and TCP are refused before."""
    listener = server.sip_udp or server.sip_tcp
    assert listener is not None
    return listener


def _uri_parameters(server: Server) -> str:
    return "" if server.sip_udp else ";transport=tcp"


def _transports(server: Server) -> str:
    udp, tcp = server.sip_udp, server.sip_tcp
    if udp is None or tcp is None:
        return "UDP" if udp else "TCP"
    return "UDP and TCP" if udp[1] == tcp[1] else f"UDP; TCP on port {tcp[1]}"


def _invite(server: Server) -> None:
    print(
        f"\nNow dial {_sip_address(server)} with any softphone. Ctrl-C stops the bot.", flush=True
    )
