"""``telephony call``: dial a SIP address, play a file, record what comes back."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import re
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Final, get_args

import sipmessage

from telephony.app.call_network import add_network_arguments, network_lines, network_of
from telephony.app.codec_checks import codec_problems
from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, AudioFormat, Codec
from telephony.audio.wav import interleave, read_wav, write_wav
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import MediaStats
from telephony.dtmf.dial_string import read_dial_string
from telephony.net.listen import local_address_towards
from telephony.rehearsal.caller import CallFailed, CallRecord, SipCaller
from telephony.rehearsal.network import Network
from telephony.rehearsal.phone import telephone
from telephony.sip.values import bare_host
from telephony.stacks.digit_sender import LONGEST_ENTRY

HELP = "dial a SIP address, play a WAV file into the call, record it"

LONGEST_RINGING_S = 30.0

CODECS: Final = get_args(Codec)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", help="sip:user@192.0.2.7:5060[;transport=tcp]; a numeric host")
    parser.add_argument(
        "--from",
        dest="from_uri",
        type=_from_uri,
        default="sip:+15550199@localhost",
        metavar="URI|NUMBER",
        help="who calls (%(default)s)",
    )
    parser.add_argument(
        "--play", type=Path, metavar="WAV", help="say this after the bot's greeting"
    )
    parser.add_argument("--record", type=Path, metavar="WAV", help="left: caller, right: callee")
    parser.add_argument(
        "--digits",
        type=_digits,
        default="",
        help="press these keys after playing: 0-9 * # A-D, and , to wait half a second",
    )
    parser.add_argument(
        "--dtmf",
        choices=("auto", "rfc4733", "info", "inband"),
        default="auto",
        help="how keys travel (%(default)s: what the callee takes)",
    )
    parser.add_argument(
        "--codec",
        choices=CODECS,
        help="offer this codec alone (default: pcmu and pcma); it is heard at 8 kHz",
    )
    parser.add_argument(
        "--interrupt-at",
        type=_seconds,
        metavar="S",
        help="play again S seconds into the next thing the callee says",
    )
    parser.add_argument("--interrupt-with", type=Path, metavar="WAV", help="say this instead")
    parser.add_argument(
        "--hangup-after",
        type=_seconds,
        default=5.0,
        metavar="S",
        help="silence before we hang up (%(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=120.0,
        metavar="S",
        help="longest call, and longest wait for the answer if below 30 (%(default)s)",
    )
    add_network_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Return 0 after a call, 1 when it is not answered, 2 for wrong arguments."""
    network = network_of(args)
    try:
        _check_recording(args.record)
        record, heard = asyncio.run(_call(args, network))
    except CallFailed as failure:
        print(f"not answered: {failure}", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"telephony call: {error}", file=sys.stderr)
        return 2
    _report(record, args.record)
    if network is not None:
        print(*network_lines(args, network, heard), sep="\n")
    return 0


def read_speech(path: Path) -> bytes:
    """Return a WAV file as PCM16 at 8 kHz; raises OSError or ValueError."""
    try:
        wav = read_wav(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    converter = Converter(AudioFormat("l16", wav.sample_rate_hz), L16_8K)
    return converter.convert(wav.pcm16) + converter.flush()


async def _call(args: argparse.Namespace, network: Network | None) -> tuple[CallRecord, MediaStats]:
    speech = read_speech(args.play) if args.play else b""
    interruption = read_speech(args.interrupt_with) if args.interrupt_with else speech
    host = local_address_towards(_address_of(args.uri))
    codecs = _codecs(args.codec)
    async with telephone(host, network=network, dtmf=args.dtmf, codecs=codecs) as caller:
        timeout_s = min(LONGEST_RINGING_S, args.timeout)
        await caller.dial(args.uri, args.from_uri, timeout_s=timeout_s)
        try:
            async with asyncio.timeout(args.timeout):
                await _talk(caller, args, speech, interruption)
        except TimeoutError:
            print(f"hung up after {args.timeout:g} s", file=sys.stderr)
        heard = caller.media_stats()
        await caller.hang_up()
        return caller.record, heard


def _codecs(wanted: Codec | None) -> tuple[Codec, ...]:
    """Return what is offered; raises ValueError when its library is missing."""
    if wanted is None:
        return "pcmu", "pcma"
    for problem, fix in codec_problems((wanted,), 20):
        raise ValueError(f"{problem}: {fix}")
    return (wanted,)


def _address_of(uri: str) -> tuple[str, int]:
    """Return where a SIP URI leads; raises ValueError."""
    wanted = "write sip:user@192.0.2.7:5060, with an IP address"
    try:
        target = sipmessage.URI.parse(uri)
    except ValueError:
        raise ValueError(f"{uri!r} is no SIP address; {wanted}") from None
    if not target.host:
        raise ValueError(f"{uri!r} is no SIP address; {wanted}")
    try:
        ip_address(bare_host(target.host))
    except ValueError:
        raise ValueError(f"names such as {target.host!r} are not looked up; {wanted}") from None
    transport = (target.parameters.get("transport") or "udp").lower()
    if target.scheme != "sip" or transport not in ("udp", "tcp"):
        raise ValueError("telephony call speaks UDP and TCP; write sip: with ;transport=tcp")
    port = 5060 if target.port is None else target.port
    if not 0 < port <= 65535:
        raise ValueError(f"{uri!r} has a wrong port; ports are 1 to 65535")
    return bare_host(target.host), port


def _check_recording(path: Path | None) -> None:
    """Raise ValueError when a recording could not be written to ``path``."""
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"cannot record to {path}: it is a directory")
    if not path.parent.is_dir():
        raise ValueError(f"cannot record to {path}: there is no directory {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"cannot record to {path}: it is not writable")


def _from_uri(text: str) -> str:
    uri = f"sip:{text}@localhost" if re.fullmatch(r"\+?[0-9]+", text) else text
    try:
        if sipmessage.URI.parse(uri).scheme in ("sip", "sips"):
            return uri
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"{text!r} is no caller; write +15550199 or sip:+15550199@localhost"
    )


def _digits(text: str) -> str:
    try:
        return read_dial_string(text, LONGEST_ENTRY) if text else ""
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return seconds


async def _talk(
    caller: SipCaller, args: argparse.Namespace, speech: bytes, interruption: bytes
) -> None:
    """Let the callee speak first, say what there is to say, stay while it speaks."""
    quiet_s = args.hangup_after
    await caller.wait_until_bot_speaks(3.0)
    await caller.wait_until_bot_silent(0.7, args.timeout)
    if speech:
        await caller.say(speech)
    if args.interrupt_at is not None and await caller.wait_until_bot_speaks(args.timeout):
        await asyncio.sleep(args.interrupt_at)
        await caller.say(interruption)
    if args.digits:
        await _press(caller, args.digits)
    while not caller.ended and await caller.wait_until_bot_speaks(quiet_s):
        await caller.wait_until_bot_silent(0.7, args.timeout)


async def _press(caller: SipCaller, digits: str) -> None:
    """Press keys and tell how they went out."""
    try:
        sent = await caller.press(digits)
    except LocalProtocolError as error:
        print(f"nothing pressed: {error}", file=sys.stderr)
        return
    if sent is not None:
        failure = f"; {sent.failure}" if sent.failure else ""
        print(f"pressed {sent.digits or 'nothing'} ({sent.way}){failure}")


def _report(record: CallRecord, path: Path | None) -> None:
    answered_at = record.answered_at or record.dialled_at
    talk_s = (record.ended_at or answered_at) - answered_at
    heard_s = sum(spurt.ended_at - spurt.started_at for spurt in record.talkspurts)
    setup_ms = (answered_at - record.dialled_at) * 1000
    print(
        f"answered after {setup_ms:.0f} ms, talked {talk_s:.1f} s, heard {heard_s:.1f} s of speech "
        f"in {len(record.talkspurts)} parts, ended by {record.ended_by}"
    )
    if record.digits:
        print(f"the callee pressed {record.digits}")
    if path is not None:
        stereo = interleave(bytes(record.said), bytes(record.heard))
        path.write_bytes(write_wav(stereo, L16_8K.sample_rate_hz, channels=2))
        print(f"recorded to {path}")
