"""Which addresses may send to an RTP port, and where we send (symmetric RTP, RFC 4961)."""

from __future__ import annotations

from dataclasses import dataclass

Address = tuple[str, int]

_REFUSED_MAX = 16
_FORMER_S = 1.0


@dataclass(frozen=True, slots=True)
class SourceLatched:
    """We now send to ``address``, where valid RTP comes from."""

    address: Address


@dataclass(frozen=True, slots=True)
class SourceChangeRefused:
    """RTP comes from an address that is neither signalled nor latched; reported once each."""

    address: Address


class SourcePolicy:
    """The signalled address may always send; one other may while it has not.

    The first other source is latched, as a peer behind NAT signals an address that it does
    not send from. Packets from the signalled address itself end that for good: whoever latched
    before loses its place. After a change of the signalled address the source before it stays
    refused for a second, as its last packets are still on their way.
    """

    __slots__ = (
        "_armed",
        "_former",
        "_former_until",
        "_held",
        "_latch",
        "_refused",
        "current",
        "signalled",
    )

    def __init__(self, signalled: Address | None, latch: bool) -> None:
        self.signalled = signalled
        self.current: Address | None = None
        self._latch = latch
        self._armed = latch
        self._held = False
        self._refused: set[Address] = set()
        self._former: Address | None = None
        self._former_until = 0.0

    @property
    def remote(self) -> Address | None:
        return None if self._held else self.current or self.signalled

    def may_send(self, source: Address, now: float) -> bool:
        """Tell whether a packet from ``source`` may be looked at."""
        if source == self.current or source == self.signalled:
            return True
        return self._armed and (source != self._former or now >= self._former_until)

    def accept(self, source: Address) -> bool:
        """Take ``source``, which sent valid RTP; return whether we now send elsewhere."""
        before = self.current or self.signalled
        self.current = source
        self._armed = False
        return source != before

    def refuse(self, source: Address) -> bool:
        """Return whether the refusal of ``source`` is news."""
        if source in self._refused or len(self._refused) >= _REFUSED_MAX:
            return False
        self._refused.add(source)
        return True

    def change_remote(self, address: Address | None, now: float) -> None:
        """Take a new signalled address; ``None`` holds, the same one changes nothing."""
        self._held = address is None
        if address is None or address == self.signalled:
            return
        self._former = self.current
        self._former_until = now + _FORMER_S
        self.signalled = address
        self.current = None
        self._armed = self._latch
        self._refused.clear()
