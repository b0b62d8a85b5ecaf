"""``telephony transcribe``: write down what was said in a recording."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from telephony.app.agents import load_agents
from telephony.app.recording_checks import key_of, recording_key
from telephony.app.settings import Settings
from telephony.app.settings_sources import find_config, load_settings
from telephony.app.transcribe_settings import agent_server, to_file_transcriber
from telephony.app.transcribing import transcribe_file
from telephony.calls.call_transcript import CallTranscript, beside, write_private
from telephony.calls.recorder import SEALED_SUFFIX
from telephony.calls.recording_reader import CannotRead
from telephony.calls.sealed_file import CannotUnseal, WrongKey
from telephony.net.speech.file_transcriber import FileTranscriberConfig
from telephony.net.speech.turn_transcriber import SpeechError

HELP = "write down what was said in a recording"

EXIT_INCOMPLETE = 3
_NICENESS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, metavar="RECORDING", help="WAV, FLAC or Opus")
    parser.add_argument("--agent", metavar="NAME", help="use this agent's OpenAI URL and key")
    parser.add_argument("--summary", action="store_true", help="sum the call up as well")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--save", action="store_true", help="write .json and .txt beside the recording"
    )
    parser.add_argument("--via", choices=("transcriptions", "chat"), help="which API to use")
    parser.add_argument("--base-url", metavar="URL", help="of an OpenAI-compatible server")
    parser.add_argument("--model", metavar="NAME")
    parser.add_argument("--language", metavar="CODE", help="en, de, ...")
    parser.add_argument(
        "--key-variable",
        metavar="NAME",
        help="environment variable that holds the recording's key (default: that of the config)",
    )
    parser.add_argument("--nice", action="store_true", help="give way to everything else")
    parser.add_argument("--config", type=Path, metavar="FILE", help="config/telephony.yaml")


def run(args: argparse.Namespace) -> int:
    """Return 0, 3 when something could not be transcribed, 1 when nothing could."""
    if args.nice:
        os.nice(_NICENESS)
    path: Path = args.recording
    try:
        settings = load_settings(find_config(args.config, os.environ), os.environ).settings
        config = _config(args, settings, os.environ)
        key = _key(args, settings) if path.name.endswith(SEALED_SUFFIX) else None
        transcript = asyncio.run(
            transcribe_file(
                path, key, config, summary=_summary(args, settings), bot=args.agent or "bot"
            )
        )
        if args.save:
            _save(path, transcript, key)
    except WrongKey as error:
        return _fail(f"{path}: {error}", "--key-variable names another key")
    except (CannotRead, CannotUnseal) as error:
        return _fail(str(error), "")
    except SpeechError as error:
        return _fail(error.failure.message, "")
    except ValueError as error:
        message, _, fix = str(error).partition("\nfix: ")
        return _fail(message, fix)
    if not args.save:
        print(transcript.to_json() if args.json else transcript.to_text(), end="")
    return EXIT_INCOMPLETE if transcript.missing else 0


def _config(
    args: argparse.Namespace, settings: Settings, environ: Mapping[str, str]
) -> FileTranscriberConfig:
    config = to_file_transcriber(settings, environ)
    changes = {
        name: value
        for name in ("via", "base_url", "model", "language")
        if (value := getattr(args, name)) is not None
    }
    if args.agent is not None:
        agents, _ = load_agents(settings, environ)
        changes = {**agent_server(agents, args.agent), **changes}
    config = config.model_copy(update=changes)
    if not config.api_key and config.base_url == type(config).model_fields["base_url"].default:
        fix = "export OPENAI_API_KEY=..., or set api_key in media.recording.transcribe"
        raise ValueError(f"{config.base_url} needs a key\nfix: {fix}")
    return config


def _summary(args: argparse.Namespace, settings: Settings) -> bool:
    asked = settings.media.recording.transcribe
    return bool(args.summary or (asked is not None and asked.summary))


def _key(args: argparse.Namespace, settings: Settings) -> bytes:
    if args.key_variable is not None:
        return key_of(args.key_variable, os.environ)
    key = recording_key(settings, os.environ)
    if key is None:
        raise ValueError("media.recording.key names no key\nfix: name one with --key-variable")
    return key


def _save(path: Path, transcript: CallTranscript, key: bytes | None) -> None:
    for suffix, text in (("json", transcript.to_json()), ("txt", transcript.to_text())):
        target = beside(path, suffix)
        write_private(target, text, key, os.urandom)
        print(f"wrote {target}")


def _fail(message: str, fix: str) -> int:
    print(f"telephony transcribe: {message}", file=sys.stderr)
    if fix:
        print(f"    fix: {fix}", file=sys.stderr)
    return 1
