"""Who may ask us for what: known peers by address, certificate or password; strangers by policy.

Asked for requests outside of dialogs before they get a transaction, so a refusal costs no memory.
Repeated requests are asked for again until one is admitted.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sip.credentials import Credentials
from telephony.sip.digest_server import (
    Answer,
    DigestServer,
    DigestServerConfig,
    Failed,
    PasswordOf,
    Stale,
    Verified,
)
from telephony.sip.flow import Flow
from telephony.sip.message import IncomingRequest
from telephony.sip.screening import Refusal
from telephony.sip.source_guard import SourceGuard
from telephony.sip.source_networks import Network, NetworkSet
from telephony.sip.username_throttle import UsernameThrottle

UnknownPolicy = Literal["accept", "reject", "drop"]

# A challenge to these would tell scanners that we are here, and nobody needs them: we are no
# registrar, and who knows a password may send it along with OPTIONS unasked.
_NEVER_CHALLENGED: Final = frozenset(("OPTIONS", "REGISTER"))
_MAX_ANSWERS_READ: Final = 4
_THROTTLED_RETRY_S: Final = 5
_MAX_VERIFIED_SOURCES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Peer:
    """A system we know. Its address in ``networks``, or a name in its certificate, is enough.

    ``credentials`` let it in from elsewhere as well, by digest. With ``challenge_always`` they
    are asked for in any case, and ``networks`` and ``certificate_names``, if there are any, are
    the only places it may come from. Only OPTIONS of a known address is never challenged.
    """

    name: str
    networks: tuple[Network, ...] = ()
    certificate_names: tuple[str, ...] = ()
    credentials: Credentials | None = None
    challenge_always: bool = False

    @property
    def has_place(self) -> bool:
        return bool(self.networks or self.certificate_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionConfig:
    """``unknown`` is what strangers get: calls through, 403, or no answer at all.

    Strangers are challenged when there is a peer who may come from anywhere, unless they are
    accepted without. ``trusted`` are networks that the guard must not ban though nobody calls from
    there: servers that we call.
    """

    peers: tuple[Peer, ...] = ()
    trusted: tuple[Network, ...] = ()
    unknown: UnknownPolicy = "accept"
    realm: str = "telephony"
    algorithms: tuple[str, ...] = ("SHA-256", "MD5")
    nonce_lifetime_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Admitted:
    """Serve the request; ``peer_name`` is "" for a stranger."""

    peer_name: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """Do not answer."""


DROPPED: Final = Dropped()

Ruling = Admitted | Refusal | Dropped


@dataclass(slots=True)
class AdmissionStats:
    """Rulings, and failures of authentication by reason (constants)."""

    admitted: int = 0
    strangers_admitted: int = 0
    challenged: int = 0
    refused: int = 0
    dropped: int = 0
    throttled: int = 0
    authentication_failures: Counter[str] = field(default_factory=Counter)


class Admission:
    """The gate for requests outside of dialogs; ``guard`` hears of offences."""

    def __init__(self, config: AdmissionConfig, ids: Ids, guard: SourceGuard | None = None) -> None:
        self._ids = ids
        self._guard = guard
        self._throttle = UsernameThrottle()
        # Whoever was verified here may ask for many challenges at once: each call begins with one.
        self._verified: OrderedDict[str, None] = OrderedDict()
        self.stats = AdmissionStats()
        self._apply(config)
        self._digest = self._new_digest()

    # -- configuration --------------------------------------------------------------------------

    def reload(self, config: AdmissionConfig) -> None:
        """Use other peers from now on; nonces stay good unless the realm or algorithms change.

        Raises LocalProtocolError, and changes nothing, when the peers contradict each other.
        """
        before = self._config
        self._apply(config)
        if (before.realm, before.algorithms, before.nonce_lifetime_s) != (
            config.realm,
            config.algorithms,
            config.nonce_lifetime_s,
        ):
            self._digest = self._new_digest()

    def _apply(self, config: AdmissionConfig) -> None:
        by_username = _by_username(config.peers)
        self._by_username = by_username
        self._config = config
        self._by_certificate = {
            name.lower(): peer for peer in config.peers for name in peer.certificate_names
        }
        found = [(network, peer) for peer in config.peers for network in peer.networks]
        # The longest prefix wins; of equal ones the first, as sorting is stable.
        found.sort(key=lambda item: -item[0].prefixlen)
        self._by_network = [(NetworkSet([network]), peer) for network, peer in found]
        if self._guard is not None:
            self._guard.trust([*(network for network, _ in found), *config.trusted])

    def _new_digest(self) -> DigestServer:
        config = self._config
        return DigestServer(
            DigestServerConfig(
                realm=config.realm,
                algorithms=config.algorithms,
                nonce_lifetime_s=config.nonce_lifetime_s,
            ),
            self._ids,
        )

    # -- rulings --------------------------------------------------------------------------------

    def screen(self, request: IncomingRequest, now: float) -> Ruling:
        """Rule on a request outside of dialogs (neither ACK nor CANCEL)."""
        peer = self.identify(request.flow)
        if peer is None:
            return self._screen_stranger(request, now)
        if not peer.challenge_always or request.method == "OPTIONS":
            return self._admit(peer.name)
        return self._authenticate(request, peer, now)

    def identify(self, flow: Flow) -> Peer | None:
        """Return the peer that the far end of ``flow`` is known as, its password aside."""
        for name in flow.peer_names:
            if (peer := self._by_certificate.get(name.lower())) is not None:
                return peer
        source_ip = flow.remote[0]
        for networks, peer in self._by_network:
            if source_ip in networks:
                return peer
        return None

    def answers_stranger(self, flow: Flow) -> bool:
        """False when whoever is at the far end of ``flow`` is to hear nothing from us."""
        return self._config.unknown != "drop" or self.identify(flow) is not None

    def _screen_stranger(self, request: IncomingRequest, now: float) -> Ruling:
        unknown, method = self._config.unknown, request.method
        if self._by_username:
            given = request.headers.get("Authorization") is not None and method != "REGISTER"
            ask = unknown != "accept" and method not in _NEVER_CHALLENGED
            if given or ask:
                return self._authenticate(request, None, now)
        if unknown == "accept":
            self.stats.strangers_admitted += 1
            return Admitted("")
        self._note_stranger(request, now)
        return self._turn_away(unknown)

    def _turn_away(self, unknown: UnknownPolicy) -> Ruling:
        if unknown == "drop":
            self.stats.dropped += 1
            return DROPPED
        self.stats.refused += 1
        return Refusal(403)

    def _admit(self, name: str) -> Admitted:
        self.stats.admitted += 1
        return Admitted(name)

    def _note_stranger(self, request: IncomingRequest, now: float) -> None:
        if self._guard is not None:
            self._guard.note("unknown_source", request.flow.remote[0], now)

    # -- passwords ------------------------------------------------------------------------------

    def _authenticate(self, request: IncomingRequest, peer: Peer | None, now: float) -> Ruling:
        """Check the answer to our challenge; ``peer`` None: of anyone who may come from anywhere.

        All that fails gets the same 401, whether the user name exists or not.
        """
        source = request.flow.remote[0]
        answer = self._own_answer(request)
        if isinstance(answer, Answer):
            if not self._throttle.allows(answer.username, source, now):
                return self._throttled(request)
            lookup = self._lookup(peer)
            verdict = self._digest.check(answer, request.method, request.uri, source, lookup, now)
            if not isinstance(verdict, Failed):
                return self._recognise(verdict, peer, source, now)
            answer = verdict
        if answer is not None:
            self._note_failure(answer, source, now)
        elif peer is None and source not in self._verified:
            self._note_stranger(request, now)
        return self._challenge(source, now)

    def _own_answer(self, request: IncomingRequest) -> Answer | Failed | None:
        """Return the answer that is for us; those for proxies on the way are not."""
        for value in request.headers.getlist("Authorization")[:_MAX_ANSWERS_READ]:
            if (answer := self._digest.read_answer(value)) is not None:
                return answer
        return None

    def _recognise(
        self, verdict: Verified | Stale, peer: Peer | None, source: str, now: float
    ) -> Ruling:
        self._throttle.succeeded(verdict.username, source)
        if isinstance(verdict, Stale):
            return self._challenge(source, now, stale=True)
        if peer is None:
            self._remember(source, now)
        known = peer or self._by_username[verdict.username]
        return self._admit(known.name)

    def _remember(self, source: str, now: float) -> None:
        """Note that a peer is at ``source``; his question that was held against him was none."""
        verified = self._verified
        if source in verified:
            verified.move_to_end(source)
            return
        if len(verified) >= _MAX_VERIFIED_SOURCES:
            verified.popitem(last=False)
        verified[source] = None
        if self._guard is not None:
            self._guard.pardon("unknown_source", source, now)

    def _lookup(self, peer: Peer | None) -> PasswordOf:
        def password_of(username: str) -> str | None:
            owner = peer if peer is not None else self._by_username.get(username)
            if owner is None or owner.credentials is None:
                return None
            credentials = owner.credentials
            return credentials.password if credentials.username == username else None

        return password_of

    def _challenge(self, source: str, now: float, *, stale: bool = False) -> Refusal:
        self.stats.challenged += 1
        values = self._digest.challenges(source, now, stale=stale)
        return Refusal(401, tuple(("WWW-Authenticate", value) for value in values))

    def _throttled(self, request: IncomingRequest) -> Ruling:
        """Without an answer a datagram is sent again, and may be looked at then."""
        self.stats.throttled += 1
        if not request.flow.reliable:
            return DROPPED
        return Refusal(503, (("Retry-After", str(_THROTTLED_RETRY_S)),))

    def _note_failure(self, verdict: Failed, source: str, now: float) -> None:
        self.stats.authentication_failures[verdict.reason] += 1
        self._verified.pop(source, None)
        if verdict.reason in ("wrong-password", "unknown-user"):
            self._throttle.failed(verdict.username, source, now)
        if self._guard is not None:
            self._guard.note("authentication_failed", source, now)


def _by_username(peers: Sequence[Peer]) -> dict[str, Peer]:
    """Return the peers that may come from anywhere; raises LocalProtocolError for nonsense."""
    found: dict[str, Peer] = {}
    for peer in peers:
        if peer.credentials is None:
            if peer.challenge_always:
                raise LocalProtocolError(f"peer {peer.name}: nothing to challenge it with")
        elif not (peer.challenge_always and peer.has_place):
            if peer.credentials.username in found:
                raise LocalProtocolError(f"peer {peer.name}: another one has the same user name")
            found[peer.credentials.username] = peer
    return found
