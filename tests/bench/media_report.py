"""The rows of ``scripts/bench media``: as text, as JSON and as a picture."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from tests.bench.media_call import DIRECTIONS, Measured
from tests.bench.media_peers import KINDS

HEADER = (
    "network      bad way  echo        lost %   PESQ   delay ms   (5 % .. 95 %)"
    "   concealed ms   longest gap ms   CPU %"
)


def rows(results: Sequence[Measured]) -> Iterator[str]:
    """Give a line for each network, direction and echo: the mean of its calls, the worst gap."""
    for (profile, direction, peer), calls in _grouped(results).items():
        lost_percent = 100 * sum(c.lost_packets for c in calls) / sum(c.sent_packets for c in calls)
        concealed = [c.concealed_ms for c in calls if c.concealed_ms is not None]
        yield (
            f"{profile:12} {direction:7}  {peer:10} {lost_percent:7.1f}"
            f"  {fmean(c.quality.pesq_mos for c in calls):5.2f}"
            f"  {fmean(c.quality.delay_ms for c in calls):9.0f}"
            f"   ({fmean(c.quality.delay_low_ms for c in calls):4.0f} .."
            f" {fmean(c.quality.delay_high_ms for c in calls):4.0f})"
            f"  {f'{fmean(concealed):.0f}' if concealed else '-':>13}"
            f"  {max(c.quality.longest_gap_ms for c in calls):15d}"
            f"  {fmean(c.cpu_percent for c in calls):6.2f}"
        )


def _grouped(results: Sequence[Measured]) -> dict[tuple[str, str, str], list[Measured]]:
    groups: dict[tuple[str, str, str], list[Measured]] = {}
    for call in results:
        groups.setdefault((call.profile, call.direction, call.peer), []).append(call)
    return groups


def write_json(results: Sequence[Measured], arguments: argparse.Namespace, path: Path) -> None:
    settings = {
        "seconds": arguments.seconds,
        "seeds": arguments.seeds,
        "peers": {name: KINDS[name].title for name in arguments.peers},
    }
    calls = [_finite(asdict(measured)) for measured in results]
    path.write_text(json.dumps({"settings": settings, "calls": calls}, indent=1) + "\n")


def _finite(values: dict[str, object]) -> dict[str, object]:
    """JSON has no NaN."""
    return {
        name: _finite(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and math.isnan(value)
        else value
        for name, value in values.items()
    }


def write_plot(results: Sequence[Measured], path: Path) -> None:
    """Draw PESQ and delay per network, a bar for each echo, a column for each bad direction."""
    directions = [d for d in DIRECTIONS if any(r.direction == d for r in results)]
    figure, axes = pyplot.subplots(
        2, len(directions), figsize=(7 * len(directions), 8), squeeze=False, layout="constrained"
    )
    for column, direction in enumerate(directions):
        calls = [r for r in results if r.direction == direction]
        top, bottom = axes[0][column], axes[1][column]
        top.set_title(f"bad on the way {direction} the echo")
        top.set_ylim(1.0, 4.6)
        top.set_ylabel("PESQ (MOS-LQO)")
        bottom.set_ylabel("delay there and back, ms")
        _bars(top, calls, lambda call: call.quality.pesq_mos)
        _bars(bottom, calls, lambda call: call.quality.delay_ms)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _bars(axes: Axes, calls: Sequence[Measured], value: Callable[[Measured], float]) -> None:
    profiles = list(dict.fromkeys(call.profile for call in calls))
    peers = list(dict.fromkeys(call.peer for call in calls))
    width = 0.8 / len(peers)
    for index, peer in enumerate(peers):
        heights = [
            fmean(value(c) for c in calls if (c.peer, c.profile) == (peer, profile))
            for profile in profiles
        ]
        places = [at + index * width for at in range(len(profiles))]
        axes.bar(places, heights, width, label=KINDS[peer].title)
    middle = width * (len(peers) - 1) / 2
    axes.set_xticks([at + middle for at in range(len(profiles))], profiles, rotation=25)
    axes.grid(axis="y", alpha=0.3)
