"""Digest authentication: header values and hashes (RFC 7616, RFC 8760, RFC 3261 section 22).

What both sides share. Quoted strings are hashed without their quotes and escapes. ``auth-int`` is
not offered and not answered: proxies may change bodies.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)\s+")
_PARAMETER = re.compile(
    r"""\s*+([A-Za-z0-9.!%*_+`'~-]++)\s*+=\s*+"""
    # Possessive, or blanks before what is no value take time quadratic in their number.
    r"""(?:"((?:[^"\\]|\\.)*+)"|([^\s",=;]*+))\s*+(?:,|$)""",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r'(["\\])')
_SESSION: Final = "-SESS"
_MAX_PARAMETERS: Final = 32

HASH_NAMES: Final[Mapping[str, str]] = {
    "MD5": "md5",
    "SHA-256": "sha256",
    "SHA-512-256": "sha512_256",
}
"""Names in the header (capitals, without ``-sess``) and those of the library."""

# Equal strength: the order of the server decides (RFC 8760 section 2.4).
_STRENGTH: Final = {"MD5": 1, "SHA-256": 2, "SHA-512-256": 2}


@dataclass(frozen=True, slots=True)
class Challenge:
    """A WWW-Authenticate or Proxy-Authenticate value that can be answered.

    ``algorithm`` is as written, "" when it is missing (MD5). ``qop`` is ``auth``, or "" for a
    server of RFC 2069 that knows none.
    """

    realm: str
    nonce: str
    opaque: str | None
    stale: bool
    algorithm: str
    qop: str

    @property
    def strength(self) -> int:
        return _STRENGTH[hash_of(self.algorithm)]


@dataclass(frozen=True, slots=True, repr=False)
class DigestInput:
    """Everything that is hashed; strings as they are between the quotes, escapes resolved."""

    algorithm: str
    username: str
    realm: str
    password: str
    method: str
    uri: str
    nonce: str
    qop: str = ""
    nc: str = ""
    cnonce: str = ""


def hash_of(algorithm: str) -> str:
    """Return the name of the hash behind ``algorithm``: capitals, without ``-sess``."""
    return algorithm.upper().removesuffix(_SESSION) or "MD5"


def is_supported(algorithm: str) -> bool:
    name = HASH_NAMES.get(hash_of(algorithm))
    return name is not None and name in hashlib.algorithms_available


def parse_auth(value: str) -> tuple[str, dict[str, str]] | None:
    """Split into the scheme and the parameters, both names in lower case.

    None when it is no list of ``name=value``, when a name is repeated (then the two sides could
    mean different values), or when there are too many.
    """
    scheme = _SCHEME.match(value)
    if scheme is None:
        return None
    fields: dict[str, str] = {}
    position, end = scheme.end(), len(value)
    while position < end:
        match = _PARAMETER.match(value, position)
        if match is None or len(fields) == _MAX_PARAMETERS:
            return None
        name, quoted, token = match.group(1).lower(), match.group(2), match.group(3)
        if name in fields:
            return None
        fields[name] = token if quoted is None else _ESCAPED.sub(r"\1", quoted)
        position = match.end()
    return scheme.group(1).lower(), fields


def quoted(text: str) -> str:
    """Return ``text`` as a quoted-string."""
    return '"' + _TO_ESCAPE.sub(r"\\\1", text) + '"'


def parse_challenge(value: str) -> Challenge | None:
    """Read a challenge; None when it is none, or one that we can't answer."""
    parsed = parse_auth(value)
    if parsed is None or parsed[0] != "digest":
        return None
    fields = parsed[1]
    realm, nonce = fields.get("realm"), fields.get("nonce")
    algorithm = fields.get("algorithm", "")
    qops = [qop.strip().lower() for qop in fields.get("qop", "").split(",") if qop.strip()]
    if realm is None or not nonce or not is_supported(algorithm):
        return None
    if qops and "auth" not in qops:
        return None
    return Challenge(
        realm=realm,
        nonce=nonce,
        opaque=fields.get("opaque"),
        stale=fields.get("stale", "").lower() == "true",
        algorithm=algorithm,
        qop="auth" if qops else "",
    )


def best_challenge(values: Sequence[str], realm: str = "") -> Challenge | None:
    """Return the strongest challenge that can be answered, the topmost of equal ones.

    With ``realm`` only challenges of that realm count; None when there is none.
    """
    found = [challenge for challenge in map(parse_challenge, values) if challenge is not None]
    if realm:
        found = [challenge for challenge in found if challenge.realm == realm]
    return max(found, key=lambda challenge: challenge.strength, default=None)


def digest_response(parts: DigestInput) -> str:
    """Return the ``response`` parameter in lower-case hexadecimal (RFC 7616 section 3.4.1)."""
    algorithm = parts.algorithm
    a1 = _hash(algorithm, f"{parts.username}:{parts.realm}:{parts.password}")
    if algorithm.upper().endswith(_SESSION):
        a1 = _hash(algorithm, f"{a1}:{parts.nonce}:{parts.cnonce}")
    a2 = _hash(algorithm, f"{parts.method}:{parts.uri}")
    if not parts.qop:  # RFC 2069
        return _hash(algorithm, f"{a1}:{parts.nonce}:{a2}")
    return _hash(algorithm, f"{a1}:{parts.nonce}:{parts.nc}:{parts.cnonce}:{parts.qop}:{a2}")


def _hash(algorithm: str, text: str) -> str:
    name = HASH_NAMES[hash_of(algorithm)]
    octets = text.encode("utf-8", "surrogateescape")
    return hashlib.new(name, octets, usedforsecurity=False).hexdigest()
