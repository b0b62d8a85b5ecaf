"""The network that ``telephony call`` leads its RTP through: its options, and what it did."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from telephony.base.interfaces import MediaStats
from telephony.rehearsal.network import Network, PathStats, shipped_profile, shipped_profiles


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--network",
        type=_network_name,
        metavar="NAME",
        help="lead RTP through a bad network, both ways; see below",
    )
    parser.add_argument(
        "--network-seed",
        type=int,
        default=0,
        metavar="N",
        help="another seed, other packets that are lost; the same one, the same (%(default)s)",
    )
    profiles = shipped_profiles()
    width = max(map(len, profiles))
    lines = (f"  {name:{width}}  {profile.about}" for name, profile in profiles.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(("networks:", *lines))


def network_of(args: argparse.Namespace) -> Network | None:
    """Return the network that the options ask for, None for none."""
    if args.network is None:
        return None
    return Network(shipped_profile(args.network), args.network_seed)


def network_lines(args: argparse.Namespace, network: Network, heard: MediaStats) -> Iterator[str]:
    """Tell what the network did in each direction, and what our media made of it."""
    yield f"network {args.network}, seed {args.network_seed}"
    yield f"  to the callee    {_path_line(network.outbound.stats)}"
    yield f"  from the callee  {_path_line(network.inbound.stats)}"
    yield (
        f"  heard            {heard.concealed_ms} ms concealed, {heard.gap_ms} ms of gaps, "
        f"{heard.packets_lost} packets lost, {heard.packets_late} late, "
        f"{heard.packets_discarded} discarded, jitter {heard.jitter_ms:.0f} ms, "
        f"jitter buffer {heard.jitter_buffer_delay_ms:.0f} ms"
    )


def _path_line(stats: PathStats) -> str:
    return (
        f"{stats.received} packets, {stats.lost} lost ({stats.lost_in_burst} in bursts, "
        f"{stats.lost_to_queue} in a full queue), delayed by {stats.delay_mean_ms:.0f} ms "
        f"(at most {stats.delay_max_ms:.0f}), {stats.stalled} stalled, "
        f"{stats.reordered} reordered, {stats.duplicated} doubled"
    )


def _network_name(text: str) -> str:
    try:
        shipped_profile(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
