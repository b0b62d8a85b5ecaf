"""Who may send to us at all: a token bucket for each source, and bans for those that misbehave.

``admits`` is asked before anything is parsed, so a flood costs a look-up for each datagram. All
tables are bounded: a source that is forgotten starts with a full bucket, and only so many new
sources are let in each second, so a flood from forged addresses wins neither memory nor time.

The source of a datagram can be forged. A ban therefore lets anybody who can forge lock out a
source that he knows: the addresses of trunks belong into the trusted networks, which are limited
more generously and never banned. Where even that is too open, use TLS and filter at the border.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from telephony.sip.source_networks import Network, NetworkSet, source_key

Offence = str
"""One of the names of ``default_points``; another is counted and costs nothing."""

_MAX_EVENTS: Final = 1_000
_MAX_KEYS: Final = 4_096
_MAX_STRIKES: Final = 30
_IDLE_S: Final = 30.0
_SECOND_CHANCES: Final = 4
_BYTES_PER_TOKEN_SHIFT: Final = 12
# What is told before it leads to a ban: it may be a peer whose address is missing somewhere.
_TOLD: Final = "unknown_source"
# A network wider than this says that anybody may call, not that everybody is trusted.
_MIN_TRUSTED_PREFIX: Final = {4: 8, 6: 16}


def default_points() -> Mapping[Offence, float]:
    """Return what offences add; 100 in five minutes is what the defaults ban for."""
    return {
        "malformed": 10,
        "authentication_failed": 20,
        "not_found": 10,
        "scanner": 100,
        "flood": 1,
        "unknown_source": 5,
        "unwanted_register": 25,
        "slow": 20,
        "handshake_failed": 5,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardConfig:
    """Limits of a source, and what gets it banned.

    A bucket holds ``burst_messages`` and gains ``messages_per_s``; a message takes one token, and
    another for every 4 KiB. ``new_sources_per_s`` is for all strangers together, who are not in
    the table of ``max_sources`` yet. An offence adds its ``points``; they fade from
    ``ban_points`` to 0 in ``window_s``; a source that reaches ``ban_points`` is banned for
    ``ban_s``, each time twice as long up to ``max_ban_s``, until it kept quiet for ``forgive_s``.
    """

    enabled: bool = True
    messages_per_s: float = 50.0
    burst_messages: float = 200.0
    trusted_messages_per_s: float = 5_000.0
    trusted_burst_messages: float = 10_000.0
    new_sources_per_s: float = 500.0
    new_sources_burst: float = 1_000.0
    points: Mapping[Offence, float] = field(default_factory=default_points)
    ban_points: float = 100.0
    window_s: float = 300.0
    ban_s: float = 300.0
    max_ban_s: float = 86_400.0
    forgive_s: float = 86_400.0
    trusted: tuple[Network, ...] = ()
    max_sources: int = 20_000


@dataclass(frozen=True, slots=True)
class SourceBanned:
    """Nothing from ``address`` (an IPv4 address or an IPv6 /64) is read for ``seconds``."""

    address: str
    offence: Offence
    seconds: float


@dataclass(frozen=True, slots=True)
class SourceReleased:
    """A ban ran out, or was lifted."""

    address: str


@dataclass(frozen=True, slots=True)
class SourceRefused:
    """A source that nobody knows wanted something of us, for the first time in ``window_s``."""

    address: str
    offence: Offence


GuardEvent = SourceBanned | SourceReleased | SourceRefused


@dataclass(slots=True)
class GuardStats:
    """Messages dropped by reason, bans given, and offences by name."""

    dropped_banned: int = 0
    dropped_flood: int = 0
    dropped_new_source: int = 0
    sources_evicted: int = 0
    bans: int = 0
    offences: Counter[Offence] = field(default_factory=Counter)


class _Source:
    """The bucket of one source; ``banned_until`` is a copy of the table of bans."""

    __slots__ = ("banned_until", "burst", "rate_per_s", "tokens", "updated_at")

    def __init__(self, rate_per_s: float, burst: float, now: float) -> None:
        self.rate_per_s = rate_per_s
        self.burst = burst
        self.tokens = burst
        self.updated_at = now
        self.banned_until = 0.0


@dataclass(slots=True)
class _Offender:
    points: float = 0.0
    noted_at: float = 0.0
    strikes: int = 0
    tell_after: float = -math.inf


class SourceGuard:
    """Buckets, offences and bans; addresses are numeric, without brackets.

    ``events_received()`` is to be drained now and then; the oldest of 1000 get lost.
    """

    def __init__(self, config: GuardConfig) -> None:
        self._config = config
        self._enabled = config.enabled
        self._trusted = NetworkSet(config.trusted)
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._keys: dict[str, str] = {}
        self._offenders: OrderedDict[str, _Offender] = OrderedDict()
        self._bans: dict[str, float] = {}
        self._releases: list[tuple[float, str]] = []
        self._new = _Source(config.new_sources_per_s, config.new_sources_burst, 0.0)
        self._events: deque[GuardEvent] = deque(maxlen=_MAX_EVENTS)
        self.stats = GuardStats()

    # -- inputs ---------------------------------------------------------------------------------

    def admits(self, source_ip: str, size_bytes: int, now: float) -> bool:
        """Whether a datagram, or message of a stream, is to be read at all."""
        source = self._sources.get(source_ip)
        if source is None:
            if not self._enabled:
                return True
            source = self._find(source_ip, now)
            if source is None:
                return False
        if source.banned_until > now:
            self.stats.dropped_banned += 1
            return False
        tokens = source.tokens + (now - source.updated_at) * source.rate_per_s
        if tokens > source.burst:
            tokens = source.burst
        source.updated_at = now
        cost = 1 + (size_bytes >> _BYTES_PER_TOKEN_SHIFT)
        if tokens < cost:
            source.tokens = tokens
            self.stats.dropped_flood += 1
            self.note("flood", source_ip, now)
            return False
        source.tokens = tokens - cost
        return True

    def note(self, offence: Offence, source_ip: str, now: float) -> None:
        """Hold ``offence`` against a source; a trusted one is only counted."""
        self.stats.offences[offence] += 1
        points = self._config.points.get(offence, 0)
        if not self._enabled or points <= 0 or source_ip in self._trusted:
            return
        key = self._key(source_ip)
        if self._bans.get(key, 0.0) > now:
            return
        offender = self._offender(key, now)
        if offence == _TOLD and now >= offender.tell_after:
            offender.tell_after = now + self._config.window_s
            self._events.append(SourceRefused(key, offence))
        offender.points += points
        if offender.points >= self._config.ban_points:
            self._ban(key, offender, offence, now)

    def pardon(self, offence: Offence, source_ip: str, now: float) -> None:
        """Take back one ``note``: it was no offence after all."""
        key = self._key(source_ip)
        if key in self._offenders:
            offender = self._offender(key, now)
            offender.points = max(0.0, offender.points - self._config.points.get(offence, 0))

    def trust(self, networks: Iterable[Network]) -> None:
        """Trust ``networks`` from now on, beside the configured ones, instead of those before.

        Networks wider than an IPv4 /8 or IPv6 /16 are left out. Bans of what is trusted now end;
        all buckets start full.
        """
        narrow = [net for net in networks if net.prefixlen >= _MIN_TRUSTED_PREFIX[net.version]]
        self._trusted = NetworkSet((*self._config.trusted, *narrow))
        self._sources.clear()
        for address in [key for key in self._bans if key.partition("/")[0] in self._trusted]:
            self.release(address)

    def release(self, address: str) -> bool:
        """Lift the ban of ``address`` as ``banned`` names it; False when there is none."""
        if address not in self._bans:
            return False
        self._offenders.pop(address, None)
        self._lift(address)
        return True

    def next_timer(self) -> float | None:
        """Return when ``handle_timer`` is to be called next; bans end without it, untold."""
        return self._releases[0][0] if self._releases else None

    def handle_timer(self, now: float) -> None:
        while self._releases and self._releases[0][0] <= now:
            until, address = heapq.heappop(self._releases)
            if self._bans.get(address) == until:
                self._lift(address)

    # -- outputs --------------------------------------------------------------------------------

    def events_received(self) -> list[GuardEvent]:
        events = list(self._events)
        self._events.clear()
        return events

    def banned(self, now: float) -> dict[str, float]:
        """Return the seconds that each banned address still has to wait."""
        return {address: until - now for address, until in self._bans.items() if until > now}

    def is_trusted(self, source_ip: str) -> bool:
        return source_ip in self._trusted

    # -- sources --------------------------------------------------------------------------------

    def _key(self, source_ip: str) -> str:
        if ":" not in source_ip:
            return source_ip
        key = self._keys.get(source_ip)
        if key is None:
            if len(self._keys) >= _MAX_KEYS:
                self._keys.clear()
            key = self._keys[source_ip] = source_key(source_ip)
        return key

    def _find(self, source_ip: str, now: float) -> _Source | None:
        """Return the bucket of a source not known by its address; None when it is kept out.

        A trusted IPv6 address has its own bucket: its /64 may be full of strangers.
        """
        config = self._config
        if source_ip in self._trusted:
            rate_per_s, burst = config.trusted_messages_per_s, config.trusted_burst_messages
            return self._add(source_ip, _Source(rate_per_s, burst, now), now)
        key = self._key(source_ip)
        if key != source_ip and (source := self._sources.get(key)) is not None:
            return source
        if self._bans.get(key, 0.0) > now:
            self.stats.dropped_banned += 1
            return None
        if not self._takes_new_source(now):
            self.stats.dropped_new_source += 1
            return None
        return self._add(key, _Source(config.messages_per_s, config.burst_messages, now), now)

    def _takes_new_source(self, now: float) -> bool:
        new = self._new
        new.tokens = min(new.burst, new.tokens + (now - new.updated_at) * new.rate_per_s)
        new.updated_at = now
        if new.tokens < 1:
            return False
        new.tokens -= 1
        return True

    def _add(self, key: str, source: _Source, now: float) -> _Source:
        if len(self._sources) >= self._config.max_sources:
            self._evict(now)
        self._sources[key] = source
        return source

    def _evict(self, now: float) -> None:
        """Forget the source that is longest here, but pass over a few that were just heard."""
        for _ in range(_SECOND_CHANCES):
            key, source = next(iter(self._sources.items()))
            if now - source.updated_at > _IDLE_S:
                break
            self._sources.move_to_end(key)
        self._sources.popitem(last=False)
        self.stats.sources_evicted += 1

    # -- offences -------------------------------------------------------------------------------

    def _offender(self, key: str, now: float) -> _Offender:
        """Return the record of ``key`` as of ``now``, as the youngest of the table."""
        config, offenders = self._config, self._offenders
        offender = offenders.pop(key, None) or _Offender(noted_at=now)
        if len(offenders) >= config.max_sources:
            offenders.popitem(last=False)
        offenders[key] = offender
        quiet_s = max(0.0, now - offender.noted_at)
        if quiet_s > config.forgive_s:
            offender.strikes = 0
        faded = quiet_s * config.ban_points / config.window_s
        offender.points = max(0.0, offender.points - faded)
        offender.noted_at = max(now, offender.noted_at)
        return offender

    def _ban(self, key: str, offender: _Offender, offence: Offence, now: float) -> None:
        config = self._config
        self.handle_timer(now)
        while len(self._releases) >= config.max_sources:
            self.handle_timer(self._releases[0][0])
        seconds = min(config.ban_s * 2.0**offender.strikes, config.max_ban_s)
        until = now + seconds
        # Strikes are forgiven for the quiet after the ban, not for that during it.
        offender.points, offender.noted_at = 0.0, until
        offender.strikes = min(offender.strikes + 1, _MAX_STRIKES)
        self._bans[key] = until
        heapq.heappush(self._releases, (until, key))
        if (source := self._sources.get(key)) is not None:
            source.banned_until = until
        self.stats.bans += 1
        self._events.append(SourceBanned(key, offence, seconds))

    def _lift(self, address: str) -> None:
        del self._bans[address]
        if (source := self._sources.get(address)) is not None:
            source.banned_until = 0.0
        self._events.append(SourceReleased(address))
