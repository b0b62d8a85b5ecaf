"""Whether an offer can be answered as the peer's policy wants it.

PJSIP answers offers by itself, and later than the call layer has to know.
"""

from __future__ import annotations

from collections.abc import Sequence

from telephony.base.ids import Ids
from telephony.sdp.codecs import Encoding
from telephony.sdp.offer_answer import LocalMedia, OfferAnswer
from telephony.sdp.profiles import SrtpMode

_ANY_ADDRESS = "127.0.0.1"
_ANY_PORT = 4000


def check_offer(
    offer: bytes, codecs: Sequence[Encoding], srtp: SrtpMode, suites: Sequence[str], ids: Ids
) -> Encoding:
    """Return the codec that an answer would choose.

    Raises NotAcceptable for an offer without a codec of ours, or of a transport we do not want.
    """
    local = LocalMedia(
        address=_ANY_ADDRESS,
        port=_ANY_PORT,
        codecs=tuple(codecs),
        srtp=srtp,
        srtp_suites=tuple(suites),
    )
    return OfferAnswer(local, ids).answer(offer).media.encoding
