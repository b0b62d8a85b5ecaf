"""Bad networks on demand: seeded loss, delay, reordering and the like for rehearsal calls.

:class:`Path` decides about the packets of one direction, without sockets; :func:`arrivals` runs a
whole stream through it; :class:`UdpRelay` does so with real packets.
"""

from telephony.rehearsal.network.network import Network
from telephony.rehearsal.network.offline import Arrival, arrivals
from telephony.rehearsal.network.path import Path, PathStats
from telephony.rehearsal.network.profile import Profile, shipped_profile, shipped_profiles
from telephony.rehearsal.network.relay import UdpRelay
from telephony.rehearsal.network.relayed_endpoint import RelayedEndpoint

__all__ = [
    "Arrival",
    "Network",
    "Path",
    "PathStats",
    "Profile",
    "RelayedEndpoint",
    "UdpRelay",
    "arrivals",
    "shipped_profile",
    "shipped_profiles",
]
