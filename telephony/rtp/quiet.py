"""Which frames can be dropped or repeated without being noticed."""

from __future__ import annotations

from telephony.audio.opus_packet import is_dtx

_QUIET_CODE = 0x20  # the G.711 magnitude code of a peak around -37 dBFS

_MAGNITUDE = {
    "pcmu": bytes(~code & 0x7F for code in range(256)),
    "pcma": bytes((code ^ 0x55) & 0x7F for code in range(256)),
}


def is_quiet(payload: bytes, encoding: str) -> bool:
    """Tell whether the peak of a G.711 payload lies under -37 dBFS, or an Opus sender fell silent.

    Other encodings don't show how loud they are.
    """
    if encoding == "opus":
        return is_dtx(payload)
    magnitude = _MAGNITUDE.get(encoding)
    if magnitude is None or not payload:
        return False
    return max(payload.translate(magnitude)) < _QUIET_CODE
