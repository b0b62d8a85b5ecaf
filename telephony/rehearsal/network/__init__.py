"""Bad networks on demand: seeded loss, delay, reordering and the like for rehearsal calls.

:class:`Path` decides about the packets of one direction, without sockets; :func:`arrivals` runs a
whole stream through it. :class:`ImpairedEndpoint` puts a leg of ours behind a network,
:class:`UdpRelay` puts one between two programs.
"""

from telephony.rehearsal.network.impaired_endpoint import ImpairedEndpoint
from telephony.rehearsal.network.network import Network
from telephony.rehearsal.network.offline import Arrival, arrivals
from telephony.rehearsal.network.path import Path, PathStats
from telephony.rehearsal.network.profile import Profile, shipped_profile, shipped_profiles
from telephony.rehearsal.network.relay import UdpRelay

__all__ = [
    "Arrival",
    "ImpairedEndpoint",
    "Network",
    "Path",
    "PathStats",
    "Profile",
    "UdpRelay",
    "arrivals",
    "shipped_profile",
    "shipped_profiles",
]
