"""Challenges to peers and the check of their answers (RFC 3261 section 22.4, RFC 7616, RFC 8760).

A nonce carries its own time and a keyed hash over time and source: nothing is stored when we
challenge, however many sources ask. What is stored is the use of nonces that came back with a
right password, so only peers who know one can fill that table, and it is bounded all the same.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final
from urllib.parse import unquote_to_bytes

from telephony.base.ids import Ids
from telephony.sip.digest import DigestInput, digest_response, parse_auth, quoted
from telephony.sip.uri_match import same_uri

PasswordOf = Callable[[str], str | None]
"""Maps a user name to its password, None for a name that does not exist."""

_NC = re.compile(r"[0-9A-Fa-f]{8}")
_NONCE = re.compile(r"[0-9a-f]{52}")
_TIME_DIGITS: Final = 12
_SALT_DIGITS: Final = 8
_WINDOW: Final = 64


@dataclass(frozen=True, slots=True)
class DigestServerConfig:
    """``algorithms`` in the order of the challenges, the preferred one first (RFC 8760).

    ``nonce_lifetime_s`` is how long a nonce may be used; ``max_nonces`` bounds how many nonces
    in use are remembered.
    """

    realm: str
    algorithms: tuple[str, ...] = ("SHA-256", "MD5")
    nonce_lifetime_s: float = 300.0
    max_nonces: int = 10_000


@dataclass(frozen=True, slots=True)
class Answer:
    """An Authorization value that answers a challenge of ours, not checked yet."""

    username: str
    fields: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verified:
    """The request is from ``username``."""

    username: str


@dataclass(frozen=True, slots=True)
class Stale:
    """The password is right, the nonce is not (any more): challenge again with ``stale``."""

    username: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Not authenticated; ``reason`` is a constant name for counters."""

    reason: str
    username: str = ""


Verdict = Verified | Stale | Failed


@dataclass(slots=True)
class _Use:
    """The counts seen with a nonce: the highest, and a bit for each of the 64 up to it."""

    issued_ms: int
    highest: int = 0
    seen: int = 0

    def take(self, count: int) -> bool:
        """Note ``count``; False when it was used before or is too old to tell."""
        ahead = count - self.highest
        if ahead > 0:
            self.seen = ((self.seen << min(ahead, _WINDOW)) | 1) & (2**_WINDOW - 1)
            self.highest = count
            return True
        if ahead <= -_WINDOW or self.seen >> -ahead & 1:
            return False
        self.seen |= 1 << -ahead
        return True


class DigestServer:
    """Checks who sent a request. ``source`` is the numeric address it came from."""

    __slots__ = ("_config", "_decoy", "_floor_ms", "_ids", "_opaque", "_secret", "_uses")

    def __init__(self, config: DigestServerConfig, ids: Ids) -> None:
        self._config = config
        self._ids = ids
        self._secret = ids.token(16).encode()
        self._decoy = ids.token(16)
        self._opaque = ids.token(8)
        self._uses: OrderedDict[str, _Use] = OrderedDict()
        self._floor_ms = -1

    def challenges(self, source: str, now: float, *, stale: bool = False) -> list[str]:
        """Return the values of the WWW-Authenticate headers, one for each algorithm."""
        nonce = self._new_nonce(source, now)
        mark = ", stale=true" if stale else ""
        return [
            f'Digest realm={quoted(self._config.realm)}, nonce="{nonce}", '
            f'opaque="{self._opaque}", algorithm={algorithm}, qop="auth"{mark}'
            for algorithm in self._config.algorithms
        ]

    def verify(
        self, value: str, method: str, uri: str, source: str, lookup: PasswordOf, now: float
    ) -> Verdict:
        """Read and check the Authorization value of a request for ``uri`` (its Request-URI)."""
        answer = self.read_answer(value)
        if not isinstance(answer, Answer):
            return answer or Failed("not-ours")
        return self.check(answer, method, uri, source, lookup, now)

    def check(
        self, answer: Answer, method: str, uri: str, source: str, lookup: PasswordOf, now: float
    ) -> Verdict:
        """Check an answer that was read before."""
        fields, username = answer.fields, answer.username
        if not same_uri(fields["uri"], uri):
            return Failed("uri-mismatch", username)
        password = lookup(username)
        # A name that does not exist takes as long as a wrong password.
        expected = digest_response(self._hashed(answer, method, password or self._decoy))
        given = fields["response"].lower().encode("utf-8", "surrogateescape")
        if not compare_digest(expected.encode(), given) or password is None:
            return Failed("wrong-password" if password is not None else "unknown-user", username)
        nonce = fields["nonce"]
        if not self._is_current(nonce, source, now):
            return Stale(username)
        if not self._use_of(nonce).take(int(fields["nc"], 16)):
            return Stale(username)
        return Verified(username)

    # -- what the header says -------------------------------------------------------------------

    def read_answer(self, value: str) -> Answer | Failed | None:
        """Read an Authorization value; None when it is not for us: of another scheme or realm."""
        parsed = parse_auth(value)
        if parsed is None:
            return Failed("malformed") if value[:7].lower() == "digest " else None
        scheme, fields = parsed
        if scheme != "digest" or fields.get("realm", self._config.realm) != self._config.realm:
            return None
        username = _read_username(fields)
        if not username:
            return Failed("malformed")
        reason = self._mistake(fields)
        return Failed(reason, username) if reason else Answer(username, fields)

    def _mistake(self, fields: dict[str, str]) -> str:
        """Return what is missing or not of our making, "" when nothing is."""
        if any(not fields.get(name) for name in ("realm", "nonce", "uri", "response")):
            return "malformed"
        offered = (algorithm.upper() for algorithm in self._config.algorithms)
        if fields.get("algorithm", "MD5").upper() not in offered:
            return "algorithm-not-offered"
        if fields.get("qop", "").lower() != "auth" or not fields.get("cnonce"):
            return "qop-not-offered"
        nc = fields.get("nc", "")
        return "" if _NC.fullmatch(nc) and int(nc, 16) else "malformed"

    def _hashed(self, answer: Answer, method: str, password: str) -> DigestInput:
        fields = answer.fields
        return DigestInput(
            algorithm=fields.get("algorithm", ""),
            username=answer.username,
            realm=self._config.realm,
            password=password,
            method=method,
            uri=fields["uri"],
            nonce=fields["nonce"],
            qop=fields["qop"],
            nc=fields["nc"],
            cnonce=fields["cnonce"],
        )

    # -- nonces ---------------------------------------------------------------------------------

    def _new_nonce(self, source: str, now: float) -> str:
        # The salt keeps the nonces of one millisecond apart: two phones behind one address
        # would otherwise share their counts.
        head = f"{_milliseconds(now):0{_TIME_DIGITS}x}{self._ids.token(_SALT_DIGITS // 2)}"
        return head + self._seal(head, source)

    def _seal(self, head: str, source: str) -> str:
        octets = f"{head} {source}".encode("utf-8", "surrogateescape")
        return hashlib.blake2s(octets, digest_size=16, key=self._secret).hexdigest()

    def _is_current(self, nonce: str, source: str, now: float) -> bool:
        if not _NONCE.fullmatch(nonce):
            return False
        head, seal = nonce[: _TIME_DIGITS + _SALT_DIGITS], nonce[_TIME_DIGITS + _SALT_DIGITS :]
        if not compare_digest(seal, self._seal(head, source)):
            return False
        issued_ms = _issued_ms(nonce)
        age_ms = _milliseconds(now) - issued_ms
        return issued_ms > self._floor_ms and 0 <= age_ms <= self._config.nonce_lifetime_s * 1000

    def _use_of(self, nonce: str) -> _Use:
        use = self._uses.get(nonce)
        if use is None:
            if len(self._uses) >= self._config.max_nonces:
                self._forget_oldest()
            use = self._uses[nonce] = _Use(_issued_ms(nonce))
        return use

    def _forget_oldest(self) -> None:
        """Forget one nonce; all that were issued up to then are stale, or it could be replayed."""
        _, oldest = self._uses.popitem(last=False)
        self._floor_ms = max(self._floor_ms, oldest.issued_ms)


def _read_username(fields: dict[str, str]) -> str:
    """Return ``username``, or ``username*`` (RFC 7616 section 3.4, RFC 8187) in its place.

    "" when neither can be used. A hashed name can't: we never offer ``userhash``.
    """
    plain, extended = fields.get("username", ""), fields.get("username*")
    if fields.get("userhash", "").lower() == "true" or (plain and extended is not None):
        return ""
    if extended is None:
        return plain
    charset, _, rest = extended.partition("'")
    _language, _, text = rest.partition("'")
    if charset.upper() != "UTF-8":
        return ""
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def _milliseconds(now: float) -> int:
    return int(now * 1000)


def _issued_ms(nonce: str) -> int:
    return int(nonce[:_TIME_DIGITS], 16)
