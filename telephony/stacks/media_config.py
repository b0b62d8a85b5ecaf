"""How every leg's media behaves, and the address that a leg's media gets."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from telephony.audio.format import Codec
from telephony.base.interfaces import DigitMode
from telephony.net.listen import is_wildcard, local_address_towards
from telephony.rtp.frames import JitterConfig
from telephony.rtp.source import LatchPolicy
from telephony.sdp.rtcp_attributes import RtcpMux


@dataclass(frozen=True, slots=True)
class MediaHost:
    """What sockets bind, and what SDP says; None says the address that faces the peer."""

    host: str
    advertised_host: str | None = None


@dataclass(frozen=True, slots=True)
class RtcpPolicy:
    """Whether legs have RTCP, how often they report, and when it shares the port of RTP."""

    enabled: bool = True
    interval_s: float = 5.0
    mux: RtcpMux = "accept"

    @property
    def negotiated_mux(self) -> RtcpMux:
        return self.mux if self.enabled else "off"


@dataclass(frozen=True, slots=True)
class DigitTiming:
    """How long the keys that we press sound, and how long it is silent between two."""

    tone_ms: int = 160
    gap_ms: int = 80


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """How every leg's media behaves.

    ``host`` is what sockets bind, ``advertised_host`` what SDP says; None says the address that
    faces the peer. ``more_hosts`` are bound instead for peers of an IP version that is not that
    of ``host``, the first that fits. ``send_silence`` keeps RTP
    flowing while the bot is silent: NAT bindings and media timeouts of peers live on it.
    ``latch`` says who may send besides the signalled address; True is ``any``, False ``off``.
    ``dtmf`` says how digits travel where no trunk says otherwise.
    """

    host: str
    advertised_host: str | None = None
    codecs: tuple[Codec, ...] = ("pcmu", "pcma")
    ptime_ms: int = 20
    telephone_event: bool = True
    comfort_noise: bool = True
    dtmf: DigitMode = "auto"
    digit_timing: DigitTiming = field(default_factory=DigitTiming)
    send_silence: bool = True
    latch: LatchPolicy | bool = True
    jitter: JitterConfig = field(default_factory=JitterConfig)
    more_hosts: tuple[MediaHost, ...] = ()
    rtcp: RtcpPolicy = field(default_factory=RtcpPolicy)

    @property
    def latch_policy(self) -> LatchPolicy:
        if isinstance(self.latch, bool):
            return "any" if self.latch else "off"
        return self.latch

    def host_towards(self, peer_host: str) -> MediaHost:
        """Return where media of a peer at a numeric address is received."""
        default = MediaHost(self.host, self.advertised_host)
        version = ip_version(peer_host)
        fitting = (
            place for place in (default, *self.more_hosts) if ip_version(place.host) == version
        )
        return next(fitting, default)


def advertised_address(place: MediaHost, peer_host: str, port: int) -> str:
    """Return the address of ``place`` that SDP tells a peer at ``peer_host``.

    Raises OSError when there is no route to a peer to whom a wildcard is all that is bound.
    """
    if place.advertised_host is not None:
        return place.advertised_host
    routable = ip_version(place.host) == ip_version(peer_host) and not is_wildcard(peer_host)
    if not routable and not is_wildcard(place.host):
        return place.host
    return local_address_towards((peer_host, port))


def ip_version(host: str) -> int | None:
    """Return 4 or 6; None for what is no address."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None
