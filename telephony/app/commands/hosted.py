"""``telephony hosted``: OpenAI's side of a hosted SIP call, to try a bot that runs elsewhere."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

from telephony.app.running import run_loop, scenario_named
from telephony.base.errors import TelephonyError
from telephony.net.clock import monotonic
from telephony.realtime.hosted.incoming import SURFACES, Surface
from telephony.realtime.hosted.webhook import WebhookSecret
from telephony.rehearsal.hosted.call import RehearsedCall
from telephony.rehearsal.hosted.server import HostedProvider, serve_hosted
from telephony.rehearsal.model_server import serve
from telephony.rehearsal.prompt_library import shipped_prompts

HELP = "rehearse a call whose telephone OpenAI answers: webhooks, requests, sideband"

_SPOKEN = {
    "response.output_audio_transcript.done": "model",
    "conversation.item.input_audio_transcription.completed": "caller",
}
_SPOKEN_IN_PIECES = {
    "session.output_transcript.delta": "model",
    "session.input_transcript.delta": "caller",
}
ANSWER_LIMIT_S = 15.0
LINGER_S = 0.5
QUIET_S = 1.0
CALL_LIMIT_S = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--webhook",
        metavar="URL",
        default="http://127.0.0.1:8080/hooks/openai",
        help="where the bot takes webhooks (%(default)s)",
    )
    parser.add_argument(
        "--secret-variable",
        metavar="NAME",
        default="OPENAI_WEBHOOK_SECRET",
        help="environment variable with the signing secret (%(default)s)",
    )
    parser.add_argument(
        "--key-variable", metavar="NAME", help="ask the bot for the key in this variable"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8766, help="port of the API (%(default)s)")
    parser.add_argument("--scenario", default="default", help="what the model does (%(default)s)")
    parser.add_argument("--caller", default="+15550199", metavar="NUMBER")
    parser.add_argument("--called", default="+15550100", metavar="NUMBER")
    parser.add_argument(
        "--say",
        action="append",
        default=[],
        metavar="PHRASE|KEYS",
        help="a phrase of the caller, such as caller_question, or keys (42#); may be repeated",
    )
    parser.add_argument(
        "--only", choices=SURFACES, help="send the event of one API; else of both, as OpenAI does"
    )


def run(args: argparse.Namespace) -> int:
    """Make one call; return 0 when it was answered."""
    secret = os.environ.get(args.secret_variable, "").strip()
    key = os.environ.get(args.key_variable, "").strip() if args.key_variable else None
    for variable, value in ((args.secret_variable, secret), (args.key_variable, key)):
        if value == "":
            print(f"telephony hosted: {variable} is not set", file=sys.stderr)
            return 1
    _check_phrases(args.say)
    return 0 if run_loop(_rehearse(args, secret, key)) else 1


def _check_phrases(words: Sequence[str]) -> None:
    known = [prompt.name for prompt in shipped_prompts().spoken_by("caller")]
    for word in words:
        if word not in known and not set(word) <= set("0123456789*#ABCD"):
            raise TelephonyError(f"no phrase {word!r}; known: {', '.join(known)}, or keys")


async def _rehearse(args: argparse.Namespace, secret: str, key: str | None) -> bool:
    signing = WebhookSecret.read(secret)
    surfaces: Sequence[Surface] = [args.only] if args.only else SURFACES
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(serve(scenario=scenario_named(args.scenario)))
        try:
            provider = await stack.enter_async_context(
                serve_hosted(model, args.host, args.port, api_key=key)
            )
        except OSError as error:
            place = f"{args.host} port {args.port}"
            raise TelephonyError(f"cannot listen on {place}: {error.strerror}") from error
        view = _View()
        view.note("api", f"hosted_sip.base_url: {provider.base_url}")
        call = provider.ring(surfaces)
        call.on_event, call.on_message = view.event, view.message
        await provider.announce(call, args.webhook, signing, caller=args.caller, called=args.called)
        _tell_webhooks(view, provider, surfaces)
        if not any(200 <= status < 300 for status in provider.webhook_statuses):
            view.note("hint", _why_unwanted(provider.webhook_statuses, args.webhook))
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(CALL_LIMIT_S):
                await _talk(call, args.say, view)
        if not call.over.is_set():
            call.caller_leaves()
        # The bot lets go of the call as well, and is told that it is gone.
        await asyncio.sleep(LINGER_S)
        if not call.answered.is_set():
            view.note("hint", f"does the bot run with hosted_sip.base_url: {provider.base_url}?")
        return call.answered.is_set()


def _why_unwanted(statuses: Sequence[int], url: str) -> str:
    """Return what is probably wrong when no webhook was taken; a status of 0 is no answer."""
    if 401 in statuses:
        return "is the signing secret one of hosted_sip.secrets?"
    if any(statuses):
        return f"does the bot take webhooks at {url}? (hosted_sip.enabled, port and path)"
    return f"does the bot listen at {url}?"


def _tell_webhooks(view: _View, provider: HostedProvider, surfaces: Sequence[Surface]) -> None:
    for surface, status in zip(surfaces, provider.webhook_statuses, strict=True):
        view.note("webhook", f"{surface}: {f'HTTP {status}' if status else 'nobody answered'}")


async def _talk(call: RehearsedCall, words: Sequence[str], view: _View) -> None:
    """Wait for the answer, and say or press one thing after the other."""
    with suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_LIMIT_S):
            await asyncio.wait(
                [
                    asyncio.ensure_future(call.answered.wait()),
                    asyncio.ensure_future(call.over.wait()),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
    for word in words:
        await _quiet(call, view)
        if call.over.is_set():
            return
        if word[0] in "0123456789*#ABCD":
            for key in word:
                call.press(key)
        elif call.live is not None:
            # Words are all that a sideband of Live hears of its call.
            call.speak(shipped_prompts()[word].text)
        else:
            call.say(word)
    await _quiet(call, view)


async def _quiet(call: RehearsedCall, view: _View) -> None:
    """Wait until nothing was said for a while, once somebody listens."""
    quiet_since = monotonic()
    while call.answered.is_set() and not call.over.is_set():
        if call.line is not None and call.line.playing:
            quiet_since = monotonic()
        elif monotonic() - max(quiet_since, view.heard_at) >= QUIET_S:
            view.tell_pieces()
            return
        await asyncio.sleep(0.05)


class _View:
    """Prints what happens, one line per event."""

    def __init__(self) -> None:
        self._started_at = self.heard_at = monotonic()
        self._speaker = self._said = ""

    def note(self, what: str, text: str) -> None:
        print(f"{monotonic() - self._started_at:8.3f}  {what:<9} {text}", flush=True)

    def event(self, what: str, value: Any) -> None:
        self.tell_pieces()
        self.note("call", f"{what} {value}" if value is not None else what)

    def message(self, message: str) -> None:
        event = json.loads(message)
        self.heard_at = monotonic()
        speaker = _SPOKEN.get(event["type"])
        if speaker is not None:
            self.note(speaker, f"“{event['transcript']}”")
        elif speaker := _SPOKEN_IN_PIECES.get(event["type"]):
            if speaker != self._speaker:
                self.tell_pieces()
            self._speaker = speaker
            self._said += event["delta"]
        elif event["type"] == "output_audio_buffer.cleared":
            self.note("model", "is cut off")
        elif event["type"] == "error":
            self.note("error", event["error"]["message"])

    def tell_pieces(self) -> None:
        """Print what was said in pieces; nobody says when a turn of Live is over."""
        if self._said:
            self.note(self._speaker, f"“{self._said.strip()}”")
        self._said = ""
