"""Programs of other people that the system tests talk to: finding them, sound files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal

import pytest

DEBIAN_PACKAGES = {
    "sox": "sox",
    "sipp": "sip-tester",
    "baresip": "baresip-core",
    "kamailio": "kamailio kamailio-tls-modules",
    "sipsak": "sipsak",
    "svmap": "sipvicious",
    "multimon-ng": "multimon-ng",
}
SOUNDS_PACKAGES = {"wav": "asterisk-core-sounds-en-wav", "g722": "asterisk-core-sounds-en-g722"}
SOUNDS_DIRECTORIES = (
    Path("/usr/share/asterisk/sounds/en"),
    Path("/usr/share/asterisk/sounds/en_US_f_Allison"),
)


def require_program(name: str) -> str:
    """Return the path of a peer; without it the test fails when ``CI=true``, else is skipped."""
    # Debian has daemons where only root's search path looks.
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if path is None:
        missing(f"{name} is not installed", DEBIAN_PACKAGES[name])
    return str(path)


def require_sound(name: str, kind: Literal["wav", "g722"] = "wav") -> Path:
    """Return a recorded English prompt, such as ``"hello-world"``.

    A WAV file has 8 kHz, mono, 16 bits; ``g722`` is what G.722 makes of 16 kHz, without a header.
    """
    for directory in SOUNDS_DIRECTORIES:
        path = directory / f"{name}.{kind}"
        if path.exists():
            return path.resolve()
    missing(f"no recorded prompt {name!r}", SOUNDS_PACKAGES[kind])
    raise AssertionError


def sound_files() -> list[Path]:
    """Return every recorded English prompt, each once; none where they are not installed."""
    found = {p.resolve() for folder in SOUNDS_DIRECTORIES for p in folder.rglob("*.wav")}
    return sorted(found)


def missing(what: str, package: str) -> None:
    """Say what is missing and what installs it: a failure when ``CI=true``, else a skip."""
    text = f"{what}: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)
