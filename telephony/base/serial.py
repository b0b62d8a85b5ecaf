"""Arithmetic on numbers that wrap: RTP sequence numbers (16 bits) and timestamps (32 bits).

RFC 3550 section 5.1; the comparison is that of RFC 1982.
"""

from __future__ import annotations


def diff16(a: int, b: int) -> int:
    """Return ``a - b`` modulo 2^16 as a signed number in [-32768, 32767]."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


def diff32(a: int, b: int) -> int:
    """Return ``a - b`` modulo 2^32 as a signed number in [-2^31, 2^31 - 1]."""
    return ((a - b + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000


def add16(a: int, b: int) -> int:
    return (a + b) & 0xFFFF


def add32(a: int, b: int) -> int:
    return (a + b) & 0xFFFF_FFFF
