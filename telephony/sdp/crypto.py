"""SRTP keys in session descriptions: the ``crypto`` attribute (RFC 4568, RFC 7714 section 14)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

MASTER_BYTES: Final[dict[str, int]] = {
    "AEAD_AES_256_GCM": 32 + 12,
    "AEAD_AES_128_GCM": 16 + 12,
    "AES_CM_128_HMAC_SHA1_80": 16 + 14,
    "AES_CM_128_HMAC_SHA1_32": 16 + 14,
}
"""Size of master key and salt by suite, in the order in which we offer the suites."""

SUITES: Final = tuple(MASTER_BYTES)

MAX_LIFETIME_PACKETS: Final = 1 << 48
"""RFC 3711 section 9.2: no key protects more RTP packets."""

_CRYPTO = re.compile(r"(\d{1,9})[ \t]+(\w+)[ \t]+(\S+)((?:[ \t]+\S+)*)[ \t]*", re.ASCII)
_INLINE = re.compile(
    r"inline:([A-Za-z0-9+/]+={0,2})"
    r"(?:\|(2\^\d{1,2}|\d{1,15}))?"
    r"(?:\|(\d{1,39}):(\d{1,3}))?",
    re.ASCII | re.IGNORECASE,
)
_WINDOW = re.compile(r"WSH=(\d{2,5})", re.ASCII)
_FEC_ORDERS = ("FEC_ORDER=FEC_SRTP", "FEC_ORDER=SRTP_FEC")


@dataclass(frozen=True, slots=True)
class Crypto:
    """One ``a=crypto`` line. ``key`` is master key and salt; a repr never shows it.

    ``mki`` is what the packets protected with the key carry (section 6.1), ``lifetime_packets``
    how many there may be, ``replay_window_packets`` the sender's hint (``WSH``).
    """

    tag: int
    suite: str
    key: bytes = field(repr=False)
    mki: bytes = b""
    lifetime_packets: int | None = None
    replay_window_packets: int | None = None

    def to_value(self) -> str:
        """Return what follows ``a=crypto:``; it holds the key in the clear."""
        key = base64.b64encode(self.key).decode()
        lifetime = "" if self.lifetime_packets is None else f"|{self.lifetime_packets}"
        mki = f"|{int.from_bytes(self.mki)}:{len(self.mki)}" if self.mki else ""
        window = "" if self.replay_window_packets is None else f" WSH={self.replay_window_packets}"
        return f"{self.tag} {self.suite} inline:{key}{lifetime}{mki}{window}"


def parse_crypto(value: str, suites: Collection[str] = SUITES) -> Crypto | None:
    """Return the line, or ``None`` when it is malformed or asks for what we do not do.

    Not done: suites other than ``suites``, several keys in a line, key derivation rates,
    streams without encryption or authentication, keys for FEC, and mandatory parameters that
    are unknown (sections 6.3 and 6.3.7).
    """
    parts = _CRYPTO.fullmatch(value)
    if parts is None:
        return None
    tag, suite, key_parameters, session_parameters = parts.groups()
    inline = _INLINE.fullmatch(key_parameters)
    if suite not in suites or suite not in MASTER_BYTES or inline is None:
        return None
    key = _decode(inline[1])
    if key is None or len(key) != MASTER_BYTES[suite]:
        return None
    try:
        lifetime, mki = _lifetime(inline[2]), _mki(inline[3], inline[4])
        window = _replay_window(session_parameters.split())
    except ValueError:
        return None
    return Crypto(int(tag), suite, key, mki, lifetime, window)


def _decode(text: str) -> bytes | None:
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        return None


def _lifetime(text: str | None) -> int | None:
    if text is None:
        return None
    lifetime = 1 << int(text[2:]) if text.startswith("2^") else int(text)
    if not 0 < lifetime <= MAX_LIFETIME_PACKETS:
        raise ValueError("not a lifetime")
    return lifetime


def _mki(number: str | None, size_bytes: str | None) -> bytes:
    """Return the identifier as it stands in packets, big-endian and of the size told."""
    if number is None or size_bytes is None:
        return b""
    size = int(size_bytes)
    if not 1 <= size <= 128 or int(number) >> (8 * size):
        raise ValueError("the identifier does not fit its size")
    return int(number).to_bytes(size)


def _replay_window(parameters: list[str]) -> int | None:
    """Return the window size hint; raise ``ValueError`` for a parameter we can't honour.

    ``FEC_ORDER`` is harmless where no FEC stream is accepted; what begins with ``-`` may be
    ignored (section 6.3.7).
    """
    hint: int | None = None
    for parameter in parameters:
        if window := _WINDOW.fullmatch(parameter):
            hint = int(window[1])
            if hint < 64:
                raise ValueError("the least window is 64")
        elif not parameter.startswith("-") and parameter not in _FEC_ORDERS:
            raise ValueError("unknown or unwanted")
    return hint
