"""A network between us and a peer: one path each way, with fates of its own."""

from __future__ import annotations

from telephony.rehearsal.network.path import Path
from telephony.rehearsal.network.profile import Profile


class Network:
    """Packets of ours take ``outbound``, those of the peer ``inbound``.

    ``outbound_profile`` is that of both, unless ``inbound_profile`` is given. ``stream`` names what
    goes through it: another one has the same kind of network, and fates of its own.
    """

    def __init__(
        self,
        outbound_profile: Profile,
        seed: int = 0,
        inbound_profile: Profile | None = None,
        stream: str = "",
    ) -> None:
        self._kind = (outbound_profile, seed, inbound_profile)
        self.outbound = Path(outbound_profile, f"{seed}/{stream}outbound")
        self.inbound = Path(inbound_profile or outbound_profile, f"{seed}/{stream}inbound")

    def beside(self) -> Network:
        """Return the network of the same call's RTCP: what that sends changes no fate of RTP."""
        return Network(*self._kind, stream="rtcp/")
