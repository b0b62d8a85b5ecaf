"""Keeps us registered: when a REGISTER is due, at which server, and what its answer means.

RFC 3261 section 10.2, with the waits of RFC 5626 section 4.5. The shell sends the requests and
answers challenges to them; it reports the final outcome, 408 when there was none and 503 when the
server could not be reached.

A server that works is kept. When it fails the others are tried at once, from the first; when all
have failed the next round begins after a wait, from the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sip.registered_contact import granted_expires, read_delta_seconds
from telephony.sip.status import reason_phrase

RegistrationState = Literal[
    "idle", "registering", "registered", "waiting", "unregistering", "stopped"
]

# How much longer the first wait is when somebody has to do something first: whoever tries a wrong
# password too often is banned. The server that did not keep our Contact (200) may do so soon.
_PATIENCE: Final = {200: 1.0, 401: 12.0, 407: 12.0}
_MOST_PATIENCE: Final = 60.0
_MAX_DOUBLINGS: Final = 30
_MAX_RETRY_AFTER_S: Final = 86_400
_MAX_EXPIRES_S: Final = 7 * 86_400
_MAX_TOO_BRIEF: Final = 2
# A connection that fails sooner than this after a registration failed with it (RFC 5626 4.5).
_STABLE_S: Final = 120.0
_MIN_REFRESH_S: Final = 5.0


class HeaderSource(Protocol):
    """Headers of a response, such as ``HeaderView``."""

    def get_all(self, name: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class RegistrationConfig:
    """How often and how long.

    The binding is refreshed at a random point between ``refresh_from`` and ``refresh_to`` of the
    time granted, and ``refresh_margin_s`` before its end where that leaves half of it. Waits after
    failures double from ``retry_initial_s`` to ``retry_max_s`` and are cut by up to a half at
    random. ``response_timeout_s`` is when a shell that reports nothing is given up.
    """

    server_count: int = 1
    expires_s: int = 3600
    retry_initial_s: float = 5.0
    retry_max_s: float = 1800.0
    refresh_from: float = 0.5
    refresh_to: float = 0.9
    refresh_margin_s: float = 40.0
    response_timeout_s: float = 180.0
    unregister_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class RegisterRequest:
    """A REGISTER to be sent now; ``expires_s`` 0 takes our Contact back."""

    server: int
    expires_s: int
    call_id: str
    cseq: int


@dataclass(frozen=True, slots=True)
class Registered:
    """The binding stands, for the first time or again, for ``expires_s`` as granted."""

    server: int
    expires_s: int


@dataclass(frozen=True, slots=True)
class RegistrationFailed:
    """A REGISTER failed; the next one leaves in ``retry_in_s`` (0: at once, to another server).

    An earlier binding may still stand: see ``Registration.registered_until``.
    """

    server: int
    status: int
    reason: str
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class Unregistered:
    """We stopped. ``status`` answered the last request, 408 none did, 0 none was needed."""

    server: int
    status: int


RegistrationEvent = Registered | RegistrationFailed | Unregistered


@dataclass(slots=True)
class RegistrationStats:
    """Plain counters since the start."""

    requests: int = 0
    registered: int = 0
    failed: int = 0
    flows_failed: int = 0
    contacts_missing: int = 0
    responses_ignored: int = 0


class Registration:
    """One binding of ours, at one of ``server_count`` servers in order of preference.

    After every call drain ``requests_to_send()``, then ``events_received()``, and set the timer to
    ``next_timer()``. There is never more than one request without an answer, except that ``stop``
    gives up the one on its way: its answer must not be reported any more.
    """

    def __init__(self, config: RegistrationConfig, ids: Ids) -> None:
        if config.server_count < 1 or config.expires_s < 1:
            raise LocalProtocolError("a registration needs a server and a time")
        self._config = config
        self._ids = ids
        self.state: RegistrationState = "idle"
        self.registered_until = 0.0
        self.stats = RegistrationStats()
        self._call_id = ids.token(16)
        self._cseq = 0
        self._expires_s = config.expires_s
        self._server = 0
        self._round: list[int] = []
        self._not_before = [0.0] * config.server_count
        self._too_brief = 0
        self._failures = 0
        self._flow_failures = 0
        self._sent_at = 0.0
        self._registered_at = 0.0
        self._due: float | None = None
        self._outbox: list[RegisterRequest] = []
        self._events: list[RegistrationEvent] = []

    # -- commands -------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Register, and stay registered until ``stop``."""
        if self.state not in ("idle", "stopped"):
            raise LocalProtocolError("the registration runs already")
        self._failures = self._flow_failures = 0
        self._begin_round(range(self._config.server_count), now)

    def stop(self, now: float) -> None:
        """Take our Contact back if it may be there; Unregistered follows. May be repeated.

        A REGISTER on its way is not waited for: the Call-ID is the same and the CSeq higher, so
        the registrar knows which of the two is the last (section 10.3).
        """
        if self.state in ("idle", "unregistering", "stopped"):
            return
        may_be_there = self.state in ("registering", "registered") or self.registered_until > now
        self._outbox.clear()
        if not may_be_there:
            self._end(0)
            return
        self.state = "unregistering"
        self._due = now + self._config.unregister_timeout_s
        self._request(0, now)

    def transport_failed(self, now: float) -> None:
        """The connection that the binding hangs on is gone: register again, at once at first."""
        if self.state != "registered":
            return
        self.stats.flows_failed += 1
        if now - self._registered_at >= _STABLE_S:
            self._flow_failures = 0
        self._flow_failures += 1
        if self._flow_failures == 1:
            self._refresh(now)
        else:
            failures = self._flow_failures - 2
            self.state = "waiting"
            self._due = now + self._wait_s(self._config.retry_initial_s, failures)

    # -- inputs ---------------------------------------------------------------------------------

    def response_received(
        self, status: int, headers: HeaderSource, contact: str, now: float, reason: str = ""
    ) -> None:
        """Take the final outcome of the last request; ``contact`` is the Contact it carried."""
        if self.state == "unregistering":
            self._end(status)
        elif self.state != "registering":
            self.stats.responses_ignored += 1
        elif 200 <= status <= 299:
            self._accepted(headers, contact, now)
        elif status == 423 and self._lengthen(headers):
            self._request(self._expires_s, now)
        else:
            self._refused(status, reason, headers, now)

    def next_timer(self) -> float | None:
        return self._due

    def handle_timer(self, now: float) -> None:
        if self._due is None or now < self._due:
            return
        if self.state == "registered":
            self._refresh(now)
        elif self.state == "waiting":
            self._begin_round(range(self._config.server_count), now)
        elif self.state == "registering":
            self._failed(408, reason_phrase(408), now, None)
        elif self.state == "unregistering":
            self._end(408)

    # -- outputs --------------------------------------------------------------------------------

    def requests_to_send(self) -> list[RegisterRequest]:
        requests, self._outbox = self._outbox, []
        return requests

    def events_received(self) -> list[RegistrationEvent]:
        events, self._events = self._events, []
        return events

    # -- requests -------------------------------------------------------------------------------

    def _refresh(self, now: float) -> None:
        others = [s for s in range(self._config.server_count) if s != self._server]
        self._begin_round([self._server, *others], now)

    def _begin_round(self, servers: Sequence[int], now: float) -> None:
        """Try ``servers`` in turn, those that asked for patience left out."""
        self._round = [server for server in servers if self._not_before[server] <= now]
        if self._round:
            self._try_next(now)
        else:
            self.state = "waiting"
            self._due = min(self._not_before)

    def _try_next(self, now: float) -> None:
        self._server = self._round.pop(0)
        self._too_brief = 0
        self.state = "registering"
        self._request(self._expires_s, now)

    def _request(self, expires_s: int, now: float) -> None:
        self._cseq += 1
        self._sent_at = now
        self.stats.requests += 1
        if expires_s:
            self._due = now + self._config.response_timeout_s
        self._outbox.append(RegisterRequest(self._server, expires_s, self._call_id, self._cseq))

    # -- outcomes -------------------------------------------------------------------------------

    def _accepted(self, headers: HeaderSource, contact: str, now: float) -> None:
        """Section 10.2.4: the time granted is that of our Contact, not what we asked for."""
        granted = granted_expires(headers, contact, self._expires_s)
        if not granted.ours_listed:
            self.stats.contacts_missing += 1
        expires_s = min(granted.expires_s, _MAX_EXPIRES_S)
        if not expires_s:
            self.registered_until = 0.0
            self._failed(200, "the registrar did not keep our Contact", now, None)
            return
        self.state = "registered"
        self.stats.registered += 1
        self._failures = 0
        self._not_before[self._server] = 0.0
        # Counted from when we asked: the registrar can't have begun earlier.
        self.registered_until = self._sent_at + expires_s
        self._registered_at = now
        self._due = max(now, self._sent_at + self._refresh_after_s(expires_s))
        self._events.append(Registered(self._server, expires_s))

    def _refresh_after_s(self, expires_s: int) -> float:
        config = self._config
        spread = config.refresh_to - config.refresh_from
        after_s = expires_s * (config.refresh_from + spread * self._fraction())
        latest_s = max(expires_s - config.refresh_margin_s, expires_s * config.refresh_from)
        return max(min(after_s, latest_s), _MIN_REFRESH_S)

    def _lengthen(self, headers: HeaderSource) -> bool:
        """Ask for as long as a 423 demands (section 10.2.8); False when it makes no sense."""
        minimum_s = read_delta_seconds(headers, "Min-Expires")
        self._too_brief += 1
        if minimum_s is None or self._too_brief > _MAX_TOO_BRIEF:
            return False
        if not self._expires_s < minimum_s <= _MAX_EXPIRES_S:
            return False
        self._expires_s = minimum_s
        return True

    def _refused(self, status: int, reason: str, headers: HeaderSource, now: float) -> None:
        wait_s = read_delta_seconds(headers, "Retry-After")
        if wait_s is not None:
            wait_s = min(wait_s, _MAX_RETRY_AFTER_S)
        reason = reason or (reason_phrase(status) if 100 <= status <= 699 else "")
        self._failed(status, reason, now, wait_s)

    def _failed(self, status: int, reason: str, now: float, retry_after_s: int | None) -> None:
        """Go on with the next server, or wait."""
        self.stats.failed += 1
        failed = self._server
        if retry_after_s is not None:
            self._not_before[failed] = now + retry_after_s
        may_do_better = _is_fault_of_server(status)
        if may_do_better and self._round:
            self._events.append(RegistrationFailed(failed, status, reason, 0.0))
            self._try_next(now)
            return
        patience = 1.0 if may_do_better else _PATIENCE.get(status, _MOST_PATIENCE)
        wait_s = self._wait_s(self._config.retry_initial_s * patience, self._failures)
        wait_s = max(wait_s, min(self._not_before) - now)
        self._failures += 1
        self.state = "waiting"
        self._due = now + wait_s
        self._events.append(RegistrationFailed(failed, status, reason, wait_s))

    def _end(self, status: int) -> None:
        self.state = "stopped"
        self._due = None
        self.registered_until = 0.0
        self._events.append(Unregistered(self._server, status))

    def _wait_s(self, initial_s: float, failures: int) -> float:
        """Return between half and all of what the doubling has come to."""
        doubled_s = initial_s * 2.0 ** min(failures, _MAX_DOUBLINGS)
        limit_s = min(doubled_s, self._config.retry_max_s)
        return limit_s * (0.5 + self._fraction() / 2)

    def _fraction(self) -> float:
        return self._ids.uint16() / 65_535


def _is_fault_of_server(status: int) -> bool:
    """True when another server may do better: this one is down, overloaded or broken."""
    return status in (0, 408, 430, 480) or 500 <= status <= 599
