"""Answers to the challenges of servers and proxies (RFC 3261 section 22.2, RFC 7616)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sip.credentials import Credentials
from telephony.sip.digest import (
    Challenge,
    DigestInput,
    best_challenge,
    digest_response,
    quoted,
)

# Some servers (Kamailio) replace an expired nonce without calling it stale, so when one that was
# good for another request is refused, a second answer is worth trying. Anything more would only
# bring a wrong password closer to being locked out.
_MAX_ANSWERS: Final = 2
_MAX_ANSWERS_TO_STALE: Final = 3
_MAX_ANSWERS_IN_ALL: Final = 8
_MAX_NONCES: Final = 8
_CNONCE_BYTES: Final = 16


@dataclass(slots=True)
class _Session:
    """What counts for one nonce; ``cnonce`` stays, as the ``-sess`` algorithms ask for."""

    challenge: Challenge
    cnonce: str
    nc: int = 0


class DigestClient:
    """The credentials of one leg or registration, and the nonces they were used with.

    The nonce of a proxy (407) and that of the server behind it (401) live side by side.
    """

    __slots__ = ("_answered", "_credentials", "_ids", "_sessions")

    def __init__(self, credentials: Credentials, ids: Ids) -> None:
        if not (credentials.username + credentials.realm).isprintable():
            raise LocalProtocolError("a user name or realm can't contain control characters")
        self._credentials = credentials
        self._ids = ids
        self._sessions: dict[str, _Session] = {}
        self._answered: list[Challenge] = []

    def answer(
        self, challenges: Sequence[str], method: str, uri: str, *, carried: bool = True
    ) -> str | None:
        """Return the Authorization (after 407: Proxy-Authorization) value, None to give up.

        ``challenges`` are all values of the response's header, ``uri`` is the Request-URI.
        ``carried`` False says that the challenged request carried no answer of ours at all: it is
        another request than before, for which a nonce in use may be used again.

        None when no challenge can be answered or is of our realm, when the answer to a new nonce
        was refused and that is not called stale, and after a few answers.
        """
        if not carried:
            self._answered.clear()
        challenge = best_challenge(challenges, self._credentials.realm)
        if challenge is None or self._is_refused(challenge):
            return None
        self._answered.append(challenge)
        return self._authorize(self._session(challenge), method, uri)

    def _is_refused(self, challenge: Challenge) -> bool:
        before = [other for other in self._answered if other.realm == challenge.realm]
        limit = _MAX_ANSWERS_TO_STALE if challenge.stale else _MAX_ANSWERS
        if len(before) >= limit or len(self._answered) >= _MAX_ANSWERS_IN_ALL:
            return True
        if challenge.stale or not before:
            return False
        return challenge.nonce == before[-1].nonce or not self._was_good(before[-1].nonce)

    def _was_good(self, nonce: str) -> bool:
        """True for a nonce that an earlier request was answered with as well."""
        session = self._sessions.get(nonce)
        return session is not None and session.nc > 1

    def _session(self, challenge: Challenge) -> _Session:
        session = self._sessions.pop(challenge.nonce, None)
        if session is None or session.challenge.realm != challenge.realm:
            session = _Session(challenge, self._ids.token(_CNONCE_BYTES))
        session.challenge = challenge
        self._sessions[challenge.nonce] = session
        if len(self._sessions) > _MAX_NONCES:
            del self._sessions[next(iter(self._sessions))]
        return session

    def _authorize(self, session: _Session, method: str, uri: str) -> str:
        challenge, credentials = session.challenge, self._credentials
        session.nc += 1
        with_cnonce = challenge.qop or challenge.algorithm.lower().endswith("-sess")
        parts = DigestInput(
            algorithm=challenge.algorithm,
            username=credentials.username,
            realm=challenge.realm,
            password=credentials.password,
            method=method,
            uri=uri,
            nonce=challenge.nonce,
            qop=challenge.qop,
            nc=f"{session.nc:08x}",
            cnonce=session.cnonce if with_cnonce else "",
        )
        return _write(parts, challenge.opaque)


def _write(parts: DigestInput, opaque: str | None) -> str:
    """Write the header value; what is quoted and what is not follows RFC 7616 section 3.4."""
    fields = [
        f"username={quoted(parts.username)}",
        f"realm={quoted(parts.realm)}",
        f"nonce={quoted(parts.nonce)}",
        f"uri={quoted(parts.uri)}",
        f'response="{digest_response(parts)}"',
    ]
    if parts.algorithm:
        fields.append(f"algorithm={parts.algorithm}")
    if parts.cnonce:
        fields.append(f'cnonce="{parts.cnonce}"')
    if parts.qop:
        fields += [f"qop={parts.qop}", f"nc={parts.nc}"]
    if opaque is not None:
        fields.append(f"opaque={quoted(opaque)}")
    return "Digest " + ", ".join(fields)
