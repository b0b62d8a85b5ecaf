"""``telephony recording``: read encrypted recordings."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from telephony.app.recording_checks import key_of, recording_key
from telephony.app.settings_sources import find_config, load_settings
from telephony.calls.recorder import SEALED_SUFFIX
from telephony.calls.sealed_file import CannotUnseal, WrongKey, unseal

HELP = "decrypt a recording"

EXIT_INCOMPLETE = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    decrypt = subparsers.add_parser(
        "decrypt",
        help="write the recording that an encrypted file holds",
        description="Write the recording that an encrypted file holds, as far as it goes.",
    )
    decrypt.add_argument("file", type=Path, metavar="FILE")
    decrypt.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help=f"where to (default: beside it, without {SEALED_SUFFIX})",
    )
    decrypt.add_argument(
        "--key-variable",
        metavar="NAME",
        help="environment variable that holds the key (default: that of media.recording.key)",
    )
    decrypt.add_argument("--config", type=Path, metavar="FILE", help="config/telephony.yaml")


def run(args: argparse.Namespace) -> int:
    """Return 0 for a whole recording, 3 for what there is of one cut short, 1 for none at all."""
    source: Path = args.file
    target: Path = args.output or source.with_name(source.name.removesuffix(SEALED_SUFFIX))
    if not args.output and target == source:
        return _fail(
            f"{source} does not end in {SEALED_SUFFIX}",
            "only files that do are encrypted; one that was renamed needs --output",
        )
    if target.exists():
        return _fail(f"{target} exists already", "name another file with --output")
    try:
        key = _key(args)
        whole = decrypt(source, target, key)
    except ValueError as error:
        message, _, fix = str(error).partition("\nfix: ")
        return _fail(message, fix)
    except WrongKey as error:
        return _fail(f"{source}: {error}", "--key-variable names another key")
    except CannotUnseal as error:
        return _fail(f"{source}: {error}", "")
    print(f"decrypted to {target}")
    if not whole:
        print(f"{source} is cut short or damaged: this is what came before", file=sys.stderr)
        return EXIT_INCOMPLETE
    return 0


def decrypt(source: Path, target: Path, key: bytes) -> bool:
    """Write ``target``, whole or not at all; return whether ``source`` is complete.

    Raises CannotUnseal, OSError, and ValueError when nothing of it can be read.
    """
    header, whole = b"", False
    with source.open("rb") as sealed, tempfile.TemporaryFile(dir=target.parent) as audio:
        for chunk in unseal(sealed, key):
            header, whole = chunk.header, chunk.last
            audio.write(chunk.audio)
        if not header and not audio.tell():
            raise ValueError(f"{source} is damaged from its beginning")
        # A sealed file with bytes behind its last chunk is not the one that was written.
        whole = whole and not sealed.read(1)
        audio.seek(0)
        _write(target, header, audio)
    return whole


def _write(target: Path, header: bytes, audio: BinaryIO) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as out:
        out.write(header)
        while block := audio.read(1 << 20):
            out.write(block)


def _key(args: argparse.Namespace) -> bytes:
    if args.key_variable is not None:
        return key_of(args.key_variable, os.environ)
    settings = load_settings(find_config(args.config, os.environ), os.environ).settings
    key = recording_key(settings, os.environ)
    if key is None:
        raise ValueError("media.recording.key names no key\nfix: name one with --key-variable")
    return key


def _fail(message: str, fix: str) -> int:
    print(f"telephony recording: {message}", file=sys.stderr)
    if fix:
        print(f"    fix: {fix}", file=sys.stderr)
    return 1
