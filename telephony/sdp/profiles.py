"""RTP profiles of a media line, and which of them a policy takes (RFC 3551, 4585, 3711, 5124)."""

from __future__ import annotations

from typing import Literal

from telephony.sdp.refusal import INCOMPATIBLE_TRANSPORT, NotAcceptable

SrtpMode = Literal["off", "optional", "required"]
"""Whether SRTP is refused, taken when offered (RTP is offered), or insisted on."""

_PLAIN = ("RTP/AVP", "RTP/AVPF")
_SECURE = ("RTP/SAVP", "RTP/SAVPF")
_ALLOWED: dict[SrtpMode, tuple[str, ...]] = {
    "off": _PLAIN,
    "optional": _PLAIN + _SECURE,
    "required": _SECURE,
}


def is_secure(protocol: str) -> bool:
    return protocol in _SECURE


def is_allowed(protocol: str, mode: SrtpMode) -> bool:
    return protocol in _ALLOWED[mode]


def profile_to_offer(in_use: str | None, mode: SrtpMode) -> str:
    """Return the profile in use if ``mode`` still allows it, else the one to begin with."""
    if in_use is not None and is_allowed(in_use, mode):
        return in_use
    return _SECURE[0] if mode == "required" else _PLAIN[0]


def check_offered(protocol: str, mode: SrtpMode) -> None:
    """Raise :class:`NotAcceptable` for a profile that ``mode`` does not allow."""
    if is_allowed(protocol, mode):
        return
    if mode == "required" and protocol in _PLAIN:
        text = "SRTP is required here: RTP/SAVP or RTP/SAVPF with a=crypto"
    else:
        *others, last = _ALLOWED[mode]
        text = f"Only {', '.join(others)} and {last} are spoken here"
    raise NotAcceptable(488, INCOMPATIBLE_TRANSPORT, text)
