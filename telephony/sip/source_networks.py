"""Source addresses as text: which of them count as one, and which networks they are in.

Every datagram of a flood from ever new addresses comes through here, so addresses are cut by hand:
``ipaddress`` takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import Final

Network = IPv4Network | IPv6Network

_MAPPED: Final = "::ffff:"


def source_key(source_ip: str) -> str:
    """Return the name under which a source is accounted.

    An IPv4 address stands for itself, also when it is mapped into IPv6; of an IPv6 address the
    /64, for whoever has one address of it has them all.
    """
    if ":" not in source_ip:
        return source_ip
    if "." in source_ip and source_ip.lower().startswith(_MAPPED):
        return source_ip[len(_MAPPED) :]
    return ":".join(_groups(source_ip)[:4]) + "::/64"


def _groups(source_ip: str) -> list[str]:
    """Return the groups of an IPv6 address, those that ``::`` stands for included."""
    head, gap, tail = source_ip.partition("%")[0].partition("::")
    groups = head.split(":") if head else []
    if not gap:
        return groups
    last = tail.split(":") if tail else []
    return groups + ["0"] * (8 - len(groups) - len(last)) + last


class NetworkSet:
    """Networks to look an address up in: one set lookup for each length of prefix."""

    __slots__ = ("_v4", "_v4_heads", "_v6")

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        found = set(networks)
        self._v4_heads = _first_octets(net for net in found if net.version == 4)
        self._v4 = _by_shift(net for net in found if net.version == 4)
        self._v6 = _by_shift(net for net in found if net.version == 6)

    def __contains__(self, source_ip: str) -> bool:
        """True for a numeric address in one of the networks; anything else is in none."""
        try:
            if ":" not in source_ip:
                # Most strangers share not even the first octet with a network of ours.
                head = source_ip.partition(".")[0]
                return head in self._v4_heads and _is_v4_in(source_ip, self._v4)
            if "." in source_ip:
                return _is_v4_in(source_key(source_ip), self._v4)
            return bool(self._v6) and _is_in(_v6_value(source_ip), self._v6)
        except ValueError:
            return False


_ByShift = tuple[tuple[int, frozenset[int]], ...]


def _by_shift(networks: Iterable[Network]) -> _ByShift:
    values: dict[int, set[int]] = {}
    for network in networks:
        shift = network.max_prefixlen - network.prefixlen
        values.setdefault(shift, set()).add(int(network.network_address) >> shift)
    return tuple((shift, frozenset(prefixes)) for shift, prefixes in sorted(values.items()))


def _first_octets(networks: Iterable[Network]) -> frozenset[str]:
    """Return the texts that addresses in ``networks`` (IPv4) can begin with."""
    octets: set[str] = set()
    for network in networks:
        first, last = network.network_address.packed[0], network.broadcast_address.packed[0]
        octets.update(map(str, range(first, last + 1)))
    return frozenset(octets)


def _is_v4_in(text: str, networks: _ByShift) -> bool:
    a, b, c, d = text.split(".")
    return _is_in(int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d), networks)


def _is_in(value: int, networks: _ByShift) -> bool:
    for shift, prefixes in networks:  # noqa: SIM110 - a generator would cost twice as much
        if value >> shift in prefixes:
            return True
    return False


def _v6_value(text: str) -> int:
    groups = _groups(text)
    if len(groups) != 8:
        raise ValueError("not an IPv6 address")
    return int("".join([group.zfill(4) for group in groups]), 16)
