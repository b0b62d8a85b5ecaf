"""Which addresses may send to an RTP port, and where we send (symmetric RTP, RFC 4961).

What whoever finds the port can do is decided here: a probe is answered with nothing ("RTP
bleed"), and a stream of packets takes no call over that has its caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from telephony.rtp.packet import RtpPacket
from telephony.rtp.probation import HeldPacket, Probation

Address = tuple[str, int]

LatchPolicy = Literal["off", "signalled_host", "any"]
"""Who besides the signalled address may become the peer.

``off``: nobody. ``signalled_host``: another port of a host that signalling named, which is that
of the ``c=`` line or that from which the SIP messages come; enough for a peer whose NAT or SBC
is the same for both. ``any``: also a host that nobody named, for peers behind a NAT whose
signalling comes through a proxy; only in the first seconds.
"""

_REFUSED_MAX = 16
_FORMER_S = 1.0

# Who outranks whom: a source gives way to any of a higher rank that sends.
_NOBODY = 0
_FOREIGN = 1
_HOST = 2
_SIGNALLED = 3


@dataclass(frozen=True, slots=True)
class SourceLatched:
    """We now send to ``address``, where valid RTP comes from."""

    address: Address


@dataclass(frozen=True, slots=True)
class SourceChangeRefused:
    """RTP comes from an address that is neither signalled nor latched; reported once each."""

    address: Address


@dataclass(frozen=True, slots=True)
class SsrcChanged:
    """The peer's stream goes on under another SSRC."""

    old: int
    new: int


class SourcePolicy:
    """The signalled address may always send and always wins; others may while it has not sent.

    A host that signalling named goes before one that it did not, and takes its place. Among
    equals the first stays, for good. Whoever is not signalled passes a probation: packets of one
    stream over some time, so that a single packet or a burst changes nothing; a packet whose
    authenticity SRTP proved needs none. A host that nobody named may be latched for
    ``learning_s`` after each offer/answer that left us without a source.

    After a change of the signalled address the source before it stays refused for a second, as
    its last packets are still on their way.
    """

    __slots__ = (
        "_former",
        "_former_until",
        "_held",
        "_hosts",
        "_learning_s",
        "_learning_until",
        "_named",
        "_policy",
        "_probations",
        "_rank",
        "_refused",
        "current",
        "signalled",
    )

    def __init__(
        self,
        signalled: Address | None,
        policy: LatchPolicy,
        now: float,
        *,
        signalling_host: str | None = None,
        learning_s: float = 10.0,
    ) -> None:
        self.signalled = signalled
        self.current: Address | None = None
        self._policy = policy
        self._named = signalling_host
        self._learning_s = learning_s
        self._held = False
        self._refused: set[Address] = set()
        self._former: Address | None = None
        self._former_until = 0.0
        self._restart(now)

    def _restart(self, now: float) -> None:
        self.current = None
        self._rank = _NOBODY
        self._learning_until = now + self._learning_s
        self._hosts = {self._named, self.signalled[0] if self.signalled is not None else None}
        self._probations = {_FOREIGN: Probation(), _HOST: Probation()}
        self._refused.clear()

    @property
    def remote(self) -> Address | None:
        return None if self._held else self.current or self.signalled

    def may_send(self, source: Address, now: float) -> bool:
        """Tell whether a packet from ``source`` is worth being looked at."""
        if self._rank == _SIGNALLED:
            return source == self.signalled
        if source == self.current or source == self.signalled:
            return True
        if self._policy == "off":
            return False
        rank = self._rank_of(source)
        if rank <= self._rank or (source == self._former and now < self._former_until):
            return False
        return rank == _HOST or (self._policy == "any" and now < self._learning_until)

    def knows_host(self, host: str) -> bool:
        """Tell whether signalling named the host, or the RTP that is taken comes from it."""
        if self.current is not None and host == self.current[0]:
            return True
        if self.signalled is not None and host == self.signalled[0]:
            return True
        return self._policy != "off" and host == self._named

    def _rank_of(self, source: Address) -> int:
        if source == self.signalled:
            return _SIGNALLED
        return _HOST if source[0] in self._hosts else _FOREIGN

    def prove(
        self, source: Address, packet: RtpPacket, kind: int, now: float
    ) -> list[HeldPacket] | None:
        """Count ``packet`` from a source that :meth:`may_send`, not yet accepted, in its favour.

        Returns what is held of the source, ``packet`` last, once it may be accepted.
        """
        if source == self.signalled:
            return [(packet, kind, now)]
        return self._probations[self._rank_of(source)].observe(source, packet, kind, now)

    def accept(self, source: Address) -> bool:
        """Take ``source`` as the peer's; return whether we now send elsewhere."""
        before = self.current or self.signalled
        self.current = source
        self._rank = self._rank_of(source)
        for probation in self._probations.values():
            probation.forget()
        return source != before

    def refuse(self, source: Address) -> bool:
        """Return whether the refusal of ``source`` is news."""
        if source in self._refused or len(self._refused) >= _REFUSED_MAX:
            return False
        self._refused.add(source)
        return True

    def change_remote(self, address: Address | None, now: float) -> None:
        """Take a new signalled address; ``None`` holds, the same one keeps what was latched."""
        self._held = address is None
        if address is None:
            return
        if address == self.signalled:
            if self._rank == _NOBODY:
                self._learning_until = now + self._learning_s
            return
        self._former = self.current
        self._former_until = now + _FORMER_S
        self.signalled = address
        self._restart(now)
