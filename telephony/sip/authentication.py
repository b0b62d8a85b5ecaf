"""Credentials in the requests of one call: what was challenged, and what goes along from then on.

A server asks with 401 and WWW-Authenticate, a proxy with 407 and Proxy-Authenticate; a forking
proxy collects the challenges of both kinds in one response (RFC 3261 section 16.7). Several proxies
on the path may each want their own: a challenge is told from others by its header and realm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import sipmessage

from telephony.base.ids import Ids
from telephony.sip.credentials import Credentials
from telephony.sip.digest import parse_challenge
from telephony.sip.digest_client import DigestClient

ChallengeKey = tuple[str, str]
"""The header that answers, and the realm."""

_ANSWER_HEADERS: Final = (
    ("WWW-Authenticate", "Authorization"),
    ("Proxy-Authenticate", "Proxy-Authorization"),
)
_MAX_REALMS: Final = 8


class Authentication:
    """The digest answers of all requests with one Call-ID, which share nonces and their counts.

    Section 22.3: who was challenged once sends credentials along in later requests of the call. A
    nonce that is too old by then is challenged again, at the price of what it saved.
    """

    __slots__ = ("_client", "_fresh", "_known", "credentials")

    def __init__(self, credentials: Credentials, ids: Ids) -> None:
        self.credentials = credentials
        self._client = DigestClient(credentials, ids)
        self._known: dict[ChallengeKey, list[str]] = {}
        self._fresh: dict[ChallengeKey, str] = {}

    def answers(self, method: str, uri: str) -> dict[ChallengeKey, str]:
        """Return what a request to ``uri`` carries; each call counts the nonces up."""
        answers: dict[ChallengeKey, str] = {}
        for key, challenges in self._known.items():
            answer = self._fresh.pop(key, None)
            if answer is None:
                answer = self._client.answer(challenges, method, uri, carried=False)
            if answer is not None:
                answers[key] = answer
        return answers

    def challenged(
        self, headers: sipmessage.Headers, carried: Iterable[ChallengeKey], method: str, uri: str
    ) -> bool:
        """Take the challenges of a 401 or 407; True when one of them has a new answer.

        ``carried`` are the keys of the answers in the refused request. One that is refused for
        good does not go along in later requests.
        """
        self._fresh.clear()
        carried_keys = frozenset(carried)
        for key, challenges in _by_realm(headers).items():
            answer = self._client.answer(challenges, method, uri, carried=key in carried_keys)
            if answer is None:
                self._known.pop(key, None)
            elif key in self._known or len(self._known) < _MAX_REALMS:
                self._known[key] = challenges
                self._fresh[key] = answer
        return bool(self._fresh)


def _by_realm(headers: sipmessage.Headers) -> Mapping[ChallengeKey, list[str]]:
    """Sort the challenges that can be answered at all."""
    found: dict[ChallengeKey, list[str]] = {}
    for challenge_header, answer_header in _ANSWER_HEADERS:
        for value in headers.getlist(challenge_header):
            challenge = parse_challenge(value)
            if challenge is not None:
                found.setdefault((answer_header, challenge.realm), []).append(value)
    return found
