"""pyVoIP's modules: they import each other in a circle that can be entered here only."""

from __future__ import annotations

import pyVoIP.VoIP
from pyVoIP import RTP, SIP
from pyVoIP.VoIP import VoIP

__all__ = ["RTP", "SIP", "VERSION", "VoIP"]

VERSION: str = pyVoIP.__version__
