"""A trunk: whom we send calls to and take calls from, and on what terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from telephony.sip.credentials import Credentials
from telephony.stacks.call_plan import MediaPolicy

IpNetwork = IPv4Network | IPv6Network
IdentitySource = Literal["pai", "rpid", "from"]
CallerIdHeader = Literal["pai", "rpid", "from", "none"]
NumberFormat = Literal["e164", "plain", "national", "international"]
Attestation = Literal["A", "B", "C"]


@dataclass(frozen=True, slots=True)
class RegisterPolicy:
    """How we register; the waits grow from the first to the second while it fails."""

    expires_s: int = 3600
    retry_initial_s: float = 5.0
    retry_max_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class InboundPolicy:
    """Who may call us over the trunk.

    A call is the trunk's when it comes from ``networks``, from where ``hosts`` or (with
    ``from_servers``) the trunk's servers resolve to, or with a verified certificate that has one
    of ``certificate_names``; else when it answers our challenge with ``credentials``.
    ``challenge_always`` asks for them whatever the address. ``trust_identity`` orders the headers
    that say who calls.
    """

    networks: tuple[IpNetwork, ...] = ()
    hosts: tuple[str, ...] = ()
    from_servers: bool = True
    certificate_names: tuple[str, ...] = ()
    credentials: Credentials | None = None
    challenge_always: bool = False
    trust_identity: tuple[IdentitySource, ...] = ("pai", "rpid", "from")


@dataclass(frozen=True, slots=True)
class CallerIdPolicy:
    """What the called party is shown.

    ``number`` stands in when a call has no caller ID of its own, or ``pass_through`` is off.
    ``header`` is where carriers look for it; ``withheld`` asks them to keep it to themselves.
    ``from_user`` ``username`` leaves the account in From, for carriers that know us by it.
    """

    number: str = ""
    name: str = ""
    header: CallerIdHeader = "from"
    from_user: Literal["number", "username"] = "number"
    withheld: bool = False
    pass_through: bool = True


@dataclass(frozen=True, slots=True)
class TrunkLimits:
    """Calls at a time, and calls begun per second; None is no limit but that of the bot.

    A call above the limit is answered with ``full_status``: carriers try elsewhere after 503, the
    caller hears busy after 486. A call of ours goes to the next trunk.
    """

    max_calls: int | None = None
    max_inbound: int | None = None
    max_outbound: int | None = None
    calls_per_s: float | None = None
    full_status: int = 503


@dataclass(frozen=True, slots=True)
class KeepalivePolicy:
    """OPTIONS to every server: down after so many without an answer, up after so many with."""

    options_interval_s: float = 30.0
    timeout_s: float = 5.0
    down_after: int = 3
    up_after: int = 1


@dataclass(frozen=True, slots=True)
class NumberPolicy:
    """How the trunk writes numbers, in both directions.

    ``region`` (``DE``) is that of numbers without a country code; without it they stay as they
    are. ``national_prefix`` and ``international_prefix`` replace those of the region; up to
    ``max_short_digits`` digits are an extension or a short number. ``strip_prefix`` is taken off,
    and ``add_prefix`` put before, the numbers we send. ``called_from`` tells where the number
    that was called stands: ``auto`` reads To when the Request-URI only repeats the user we
    registered.
    """

    region: str | None = None
    format: NumberFormat = "e164"
    national_prefix: str = ""
    international_prefix: str = ""
    max_short_digits: int = 6
    strip_prefix: str = ""
    add_prefix: str = ""
    called_from: Literal["auto", "request_uri", "to"] = "auto"


@dataclass(frozen=True, slots=True)
class AttestationPolicy:
    """What becomes of a call's Identity header (STIR/SHAKEN).

    ``off`` ignores it, ``tag`` verifies it for the dialplan, ``require`` refuses calls below
    ``minimum``. A call without one counts as ``missing_is``, None refuses it there.
    """

    mode: Literal["off", "tag", "require"] = "off"
    minimum: Attestation = "C"
    missing_is: Attestation | None = None


@dataclass(frozen=True, slots=True)
class ReferPolicy:
    """Whether the peer may ask us to call somebody (toll fraud), and whom.

    ``targets`` are numbers, or beginnings of numbers that end in ``*``; empty allows none.
    """

    accept: bool = False
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trunk:
    """One carrier or PBX. ``servers`` and ``outbound_proxy`` are SIP URIs without a user.

    ``domain`` is the host of our address of record and of the numbers we call; "" is that of the
    server used. ``outbound`` lets us place calls over it. ``follow_redirects`` calls where a 3xx
    of the trunk leads, as long as that is the trunk itself.
    """

    name: str
    servers: tuple[str, ...] = ()
    outbound_proxy: str = ""
    domain: str = ""
    username: str = ""
    credentials: Credentials | None = None
    outbound: bool = True
    register: RegisterPolicy | None = None
    inbound: InboundPolicy = field(default_factory=InboundPolicy)
    media: MediaPolicy = field(default_factory=MediaPolicy)
    caller_id: CallerIdPolicy = field(default_factory=CallerIdPolicy)
    limits: TrunkLimits = field(default_factory=TrunkLimits)
    keepalive: KeepalivePolicy | None = field(default_factory=KeepalivePolicy)
    numbers: NumberPolicy = field(default_factory=NumberPolicy)
    attestation: AttestationPolicy = field(default_factory=AttestationPolicy)
    refer: ReferPolicy = field(default_factory=ReferPolicy)
    follow_redirects: bool = False

    @property
    def next_hops(self) -> tuple[str, ...]:
        """The URIs that requests are sent to, in order: the outbound proxy, or the servers."""
        return (self.outbound_proxy,) if self.outbound_proxy else self.servers
