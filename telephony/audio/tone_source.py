"""Tones by name, where otherwise a sound file is named: ``tone:busy``, ``tone:ringback/de``.

``tone:NAME``, ``tone:NAME/COUNTRY``, ``tone:NAME/SECONDS`` or ``tone:NAME/COUNTRY/SECONDS``, with
a name of ``beep``, ``ringback``, ``busy`` or ``congestion``. Without seconds a beep lasts 0.2 s,
and the others as many whole periods as begin within five seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import cast, get_args

from telephony.audio.tones import CADENCES, COUNTRIES, Country, Progress, beep

PREFIX = "tone:"

MAX_S = 600.0
BEEP_MS = 200

_USUAL_MS = 5000
_NAMES = ("beep", *get_args(Progress))
_SECONDS = re.compile(r"\d{1,3}(\.\d{1,3})?")


@dataclass(frozen=True, slots=True)
class ToneSource:
    """A tone; ``country`` None is that of the settings, ``seconds`` None the usual length."""

    name: str
    country: Country | None = None
    seconds: float | None = None

    def pcm16(self, sample_rate_hz: int, country: Country) -> bytes:
        """Return all of it as 16-bit PCM; ``country`` is that of the settings."""
        if self.name == "beep":
            duration_ms = BEEP_MS if self.seconds is None else round(self.seconds * 1000)
            return beep(duration_ms, sample_rate_hz)
        cadence = CADENCES[self.country or country][cast(Progress, self.name)]
        period = cadence.period(sample_rate_hz)
        if self.seconds is None:
            return period * -(-_USUAL_MS // cadence.period_ms)
        size = round(self.seconds * sample_rate_hz) * 2
        return (period * (size // len(period) + 1))[:size]


def is_tone(source: str) -> bool:
    return source.startswith(PREFIX)


def read_tone(source: str) -> ToneSource:
    """Read a tone's name; raises ValueError with the remedy."""
    name, *rest = source.removeprefix(PREFIX).split("/")
    if name not in _NAMES:
        near = get_close_matches(name, _NAMES, 1)
        fix = f"write tone:{near[0]}" if near else f"write one of: {', '.join(_NAMES)}"
        raise ValueError(f"there is no tone {name!r}\nfix: {fix}")
    country: Country | None = None
    if rest and rest[0] in COUNTRIES:
        country = cast(Country, rest.pop(0))
    seconds = None
    if rest and _SECONDS.fullmatch(rest[0]):
        seconds = float(rest.pop(0))
    if rest or seconds == 0.0 or (seconds or 0.0) > MAX_S:
        fix = f"write tone:{name}, tone:{name}/de or tone:{name}/de/10 (seconds, up to {MAX_S:g})"
        known = ", ".join(COUNTRIES)
        raise ValueError(f"{source!r} is no tone; countries are {known}\nfix: {fix}")
    return ToneSource(name, country, seconds)
