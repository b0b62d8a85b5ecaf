"""What signalling is told to place one call, and how a peer's media is negotiated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from telephony.audio.format import Codec
from telephony.audio.processing import ProcessingConfig
from telephony.base.interfaces import DigitMode
from telephony.sip.credentials import Credentials
from telephony.sip.flow import Flow

SrtpMode = Literal["off", "optional", "required"]


@dataclass(frozen=True, slots=True)
class MediaPolicy:
    """What a trunk allows; ``codecs`` None means those of the media plane.

    ``srtp``: ``off`` answers RTP/SAVP with 488 and offers RTP/AVP; ``optional`` takes both and
    offers RTP/AVP; ``required`` takes and offers RTP/SAVP alone. ``dtmf`` None means that of the
    media plane. ``processing`` is done to the peer's audio.
    """

    codecs: tuple[Codec, ...] | None = None
    srtp: SrtpMode = "off"
    dtmf: DigitMode | None = None
    processing: ProcessingConfig = field(default_factory=ProcessingConfig)


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One INVITE over one flow. ``from_value`` and ``to_value`` are URIs or name-addrs.

    ``routes`` are Route values (an outbound proxy), nearest first.
    """

    request_uri: str
    from_value: str
    flow: Flow
    to_value: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    routes: tuple[str, ...] = ()
    credentials: Credentials | None = None
    media: MediaPolicy = field(default_factory=MediaPolicy)
    trunk: str = ""
    called: str = ""
    caller: str = ""
