"""A network between us and a peer: one path each way, with fates of its own."""

from __future__ import annotations

from telephony.rehearsal.network.path import Path
from telephony.rehearsal.network.profile import Profile


class Network:
    """Packets of ours take ``outbound``, those of the peer ``inbound``.

    ``outbound_profile`` is that of both, unless ``inbound_profile`` is given.
    """

    def __init__(
        self, outbound_profile: Profile, seed: int = 0, inbound_profile: Profile | None = None
    ) -> None:
        self.outbound = Path(outbound_profile, f"{seed}/outbound")
        self.inbound = Path(inbound_profile or outbound_profile, f"{seed}/inbound")
