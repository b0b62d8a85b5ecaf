"""What the bot asks of a signalling stack, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from telephony.app.port_opener import PortOpener
from telephony.app.settings import Settings
from telephony.base.ids import Ids
from telephony.base.interfaces import Leg, LegFacts
from telephony.net.sip_endpoint import Trace
from telephony.observe.metrics import Metrics
from telephony.sip.flow import Address, Transport
from telephony.stacks.capabilities import Capabilities
from telephony.stacks.peer_policy import PeerPolicy
from telephony.stacks.rtp_media import MediaPlane
from telephony.stacks.trunk import Trunk
from telephony.stacks.trunks.attempt import CallPlacer
from telephony.stacks.trunks.directory import TrunkChanges, TrunkDirectory
from telephony.stacks.trunks.reaching import Endpoint, Reach
from telephony.stacks.trunks.running import TrunkListener


class InboundLeg(Leg, Protocol):
    """A leg that came in: its trunk counts it until it has ended."""

    @property
    def facts(self) -> LegFacts: ...

    @property
    def ended(self) -> bool: ...


OnInbound = Callable[[InboundLeg], None]


@dataclass(frozen=True, slots=True)
class SideParts:
    """What a stack is given. ``policy`` is how peers are treated, read anew by every call."""

    settings: Settings
    plane: MediaPlane
    ids: Ids
    directory: TrunkDirectory
    metrics: Metrics
    opener: PortOpener
    on_inbound: OnInbound
    policy: PeerPolicy
    trace: Trace | None = None


class TrunkKeeper(Protocol):
    """Keeps trunks registered and watched: see :class:`stacks.trunks.running.RunningTrunks`."""

    def start(self) -> None: ...

    async def replace(self, trunks: Sequence[Trunk]) -> TrunkChanges: ...

    async def unregister(self) -> None: ...

    async def stop(self) -> None: ...


class StackSide(Protocol):
    """One signalling stack with all that is its own: its ports, and who is let in.

    Call :meth:`listen`, then :meth:`start`; :meth:`stop` looks after nothing any more while calls
    and sockets stay, :meth:`close` ends them without a word.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def max_calls(self) -> int | None:
        """How many calls one process can carry; None where nothing but settings limits them."""

    @property
    def placer(self) -> CallPlacer: ...

    @property
    def endpoint(self) -> Endpoint: ...

    @property
    def dialogs(self) -> int:
        """How many dialogs and calls are not over: some wait for the end of a BYE, a CANCEL."""

    @property
    def certificate_valid_until(self) -> datetime | None:
        """When the certificate in use runs out, None without one."""

    def bound(self, transport: Transport) -> list[Address]:
        """Return where ``transport`` is listened on, in the order of the settings."""

    async def listen(self) -> None:
        """Open every port of the settings; raises PortInUse, CannotListen, CertificateProblem."""

    def keep_trunks(self, reach: Reach, listener: TrunkListener) -> TrunkKeeper:
        """Return what looks after the trunks of the directory; called once, before start."""

    def start(self) -> None:
        """Report numbers to the metrics, and watch what has to be watched."""

    def use_policy(self, policy: PeerPolicy) -> None:
        """Treat peers so from now on; calls that are up keep what they have."""

    def peers_changed(self) -> None:
        """Read from the directory again who may call."""

    def refuse_options(self, retry_after_s: int) -> None:
        """Answer OPTIONS with 503 from now on: this process takes no new calls."""

    def reload_certificates(self) -> None:
        """Read the files of TLS again; raises CertificateProblem."""

    async def stop(self) -> None: ...

    async def close(self) -> None: ...
