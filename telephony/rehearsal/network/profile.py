"""What a rehearsal network does to packets, as data: ``profiles.yaml`` beside this file.

Probabilities are percent of the packets, rates are kilobits per second of IP packets, times are
milliseconds (``_ms``) or seconds (``_s``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from telephony.base.schema_problems import did_you_mean

PROFILES_FILE = Path(__file__).parent / "profiles.yaml"

_Percent = Annotated[float, Field(ge=0.0, le=100.0)]
_Ms = Annotated[float, Field(ge=0.0, le=10_000.0)]
_Positive = Annotated[float, Field(gt=0.0)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConstantDelay(_Data):
    shape: Literal["constant"]
    mean_ms: _Ms


class NormalDelay(_Data):
    """A bell curve, cut off below ``min_ms``."""

    shape: Literal["normal"]
    mean_ms: _Ms
    deviation_ms: _Ms
    min_ms: _Ms = 0.0


class ParetoDelay(_Data):
    """``min_ms`` plus a long tail: half the packets within ``scale_ms * (2 ** (1/alpha) - 1)``."""

    shape: Literal["pareto"]
    min_ms: _Ms
    scale_ms: _Ms
    alpha: _Positive
    max_ms: _Ms

    @model_validator(mode="after")
    def _in_order(self) -> ParetoDelay:
        if self.max_ms < self.min_ms:
            raise ValueError("max_ms is less than min_ms")
        return self


Delay = Annotated[ConstantDelay | NormalDelay | ParetoDelay, Field(discriminator="shape")]


class LossBursts(_Data):
    """Gilbert-Elliott: before each packet a burst may begin or end; in it most is lost."""

    begin_percent: _Percent
    end_percent: Annotated[float, Field(gt=0.0, le=100.0)]
    loss_percent: _Percent = 100.0


class Episodes(_Data):
    """Something that happens every ``every_s``, give or take half of it, and then lasts."""

    every_s: _Positive
    lasting_ms: Annotated[float, Field(gt=0.0, le=10_000.0)]


class Spikes(Episodes):
    """The delay jumps by ``height_ms`` and falls back evenly until the spike is over."""

    height_ms: _Ms


class Squeezes(Episodes):
    """Other traffic leaves only ``kbps`` of the rate."""

    kbps: _Positive


class Rate(_Data):
    """A link of ``kbps``; what would wait for longer than ``queue_ms`` is dropped."""

    kbps: _Positive
    queue_ms: _Ms
    squeezes: Squeezes | None = None


class Later(_Data):
    """``percent`` of the packets; what happens to them is ``later_by_ms`` later."""

    percent: _Percent
    later_by_ms: _Ms


class Profile(_Data):
    """One direction of a network; what is left out does not happen.

    Packets keep their order, however different their delays (a late one holds up those behind
    it), except that of ``reorder``: these are held back while others pass.
    """

    about: str
    delay: Delay
    loss_percent: _Percent = 0.0
    loss_bursts: LossBursts | None = None
    spikes: Spikes | None = None
    stalls: Episodes | None = None
    """Nothing leaves while a stall lasts; then all at once."""
    rate: Rate | None = None
    reorder: Later | None = None
    duplicates: Later | None = None
    drift_ppm: Annotated[float, Field(ge=-10_000.0, le=10_000.0)] = 0.0
    """How much slower than ours the sender's clock seems; the delay grows by it.

    A negative drift shrinks the delay, at most to nothing.
    """


_PROFILES = TypeAdapter(dict[str, Profile])


@cache
def shipped_profiles() -> dict[str, Profile]:
    """Return the profiles of the package by name, in the order of the file."""
    return _PROFILES.validate_python(yaml.safe_load(PROFILES_FILE.read_text("utf-8")))


def shipped_profile(name: str) -> Profile:
    """Return one of the package; raises ValueError that tells the fix."""
    profiles = shipped_profiles()
    if name not in profiles:
        raise ValueError(f"there is no network {name!r}; {did_you_mean(name, profiles)}")
    return profiles[name]
