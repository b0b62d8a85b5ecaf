"""Reliable provisional responses to one INVITE of a peer (RFC 3262 sections 3 and 5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sipmessage

from telephony.sip.message import list_values
from telephony.sip.timers import TimerCallback, TimerHandle

if TYPE_CHECKING:
    from telephony.sip.agent import Agent
    from telephony.sip.transaction import ServerTransaction

OPTION_TAG: Final = "100rel"
_RACK = re.compile(r"([0-9]{1,10})[ \t]+([0-9]{1,10})[ \t]+([^ \t]+)")
_MAX_NUMBER: Final = 2**32 - 1
# Section 3: the first RSeq is drawn below 2^31, so that it never wraps within one INVITE.
_FIRST_RSEQ_MASK: Final = 2**30 - 1


@dataclass(frozen=True, slots=True)
class RAck:
    """Which response a PRACK acknowledges (section 7.2)."""

    rseq: int
    cseq: int
    method: str


def read_rack(headers: sipmessage.Headers) -> RAck | None:
    """Return the RAck of a PRACK; None when it has none that can be read."""
    match = _RACK.fullmatch((headers.get("RAck") or "").strip())
    if match is None:
        return None
    rseq, cseq = int(match.group(1)), int(match.group(2))
    return RAck(rseq, cseq, match.group(3)) if max(rseq, cseq) <= _MAX_NUMBER else None


def requires_reliability(headers: sipmessage.Headers) -> bool:
    """Whether a provisional response of ours has to be reliable."""
    return _names(headers, "Require")


def supports_reliability(headers: sipmessage.Headers) -> bool:
    return _names(headers, "Supported") or _names(headers, "Require")


def _names(headers: sipmessage.Headers, name: str) -> bool:
    return any(tag.lower() == OPTION_TAG for tag in list_values(headers, name))


@dataclass(frozen=True, slots=True)
class Provisional:
    """A response above 100; ``sdp`` is our answer, or with ``offer`` our offer."""

    status: int
    sdp: bytes = b""
    offer: bool = False


class ReliableResponses:
    """What is sent reliably for one INVITE, one response at a time.

    ``write(provisional, rseq)`` makes the response, ``gave_up(now)`` is called when 64*T1 passed
    without its PRACK. ``pending`` is the response that is not acknowledged yet; ``acknowledged``
    says that one was, so that the peer has the dialog.
    """

    __slots__ = (
        "_agent",
        "_data",
        "_gave_up",
        "_give_up_at",
        "_handle",
        "_interval_s",
        "_rseq",
        "_status",
        "_transaction",
        "_waiting",
        "_write",
        "acknowledged",
        "pending",
    )

    def __init__(
        self,
        agent: Agent,
        transaction: ServerTransaction,
        write: Callable[[Provisional, int], bytes],
        gave_up: TimerCallback,
    ) -> None:
        self._agent = agent
        self._transaction = transaction
        self._write = write
        self._gave_up = gave_up
        self._rseq = agent.ids.uint32() & _FIRST_RSEQ_MASK
        self._status = 0
        self._data = b""
        self._interval_s = 0.0
        self._give_up_at = 0.0
        self._handle: TimerHandle | None = None
        self._waiting: list[Provisional] = []
        self.acknowledged = False
        self.pending: Provisional | None = None

    @property
    def described(self) -> bool:
        """A description waits for its PRACK, and a 2xx for both (section 3)."""
        waiting = self.pending is not None and bool(self.pending.sdp)
        return waiting or any(provisional.sdp for provisional in self._waiting)

    @property
    def offering(self) -> bool:
        """An offer of ours waits for the PRACK that answers it (section 5)."""
        return self.pending is not None and self.pending.offer

    def send(self, provisional: Provisional, now: float) -> None:
        """Send it now, or when the one before is acknowledged (section 3)."""
        if self.pending is not None:
            # Of those that say nothing of the session the last one is enough.
            if self._waiting and not self._waiting[-1].sdp:
                self._waiting.pop()
            self._waiting.append(provisional)
            return
        timers = self._agent.config.timers
        self._rseq += 1
        self._status = provisional.status
        self._data = self._write(provisional, self._rseq)
        self.pending = provisional
        self._interval_s = timers.t1_s
        self._give_up_at = now + timers.give_up_s
        self._transaction.respond(provisional.status, self._data, now)
        self._schedule(now)

    def send_again(self, now: float) -> None:
        """Tell the proxies on the path that the call is alive (RFC 3261 section 13.3.1.1)."""
        if self.pending is None:
            self.send(Provisional(self._status), now)

    def _schedule(self, now: float) -> None:
        due = min(now + self._interval_s, self._give_up_at)
        self._handle = self._agent.timers.schedule(due, self._repeat)

    def _repeat(self, now: float) -> None:
        """Repeat it, on streams as well; the interval doubles without an upper bound."""
        if now >= self._give_up_at:
            self._handle = None
            self._agent.stats.pracks_missing += 1
            self._gave_up(now)
            return
        self._agent.stats.retransmissions_sent += 1
        self._agent.transactions.send(self._data, self._transaction.flow)
        self._interval_s *= 2
        self._schedule(now)

    def acknowledge(self, rack: RAck) -> Provisional | None:
        """Return what a PRACK acknowledges; None when it is not what waits for one."""
        pending = self.pending
        if pending is None or rack != RAck(self._rseq, self._transaction.request.cseq, "INVITE"):
            return None
        self._stop_repeating()
        self.pending = None
        self.acknowledged = True
        return pending

    def send_next(self, now: float) -> None:
        """Send what waited for the PRACK."""
        if self._waiting and self.pending is None and not self._transaction.answered:
            self.send(self._waiting.pop(0), now)

    def stop(self) -> None:
        """Stop repeating: a final response was sent. A PRACK on its way still counts."""
        self._waiting.clear()
        self._stop_repeating()

    def _stop_repeating(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
