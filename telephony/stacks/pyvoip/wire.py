"""What pyVoIP has in the place of its socket."""

from __future__ import annotations

from telephony.stacks.pyvoip.draft import Draft


class Wire:
    """Keeps what pyVoIP sends until it is taken; where it would send it does not count.

    pyVoIP sends everything to the server it was configured with; we know where a message has to go
    (RFC 3261 section 18.2.2, RFC 3581). Nothing is ever read from here: pyVoIP is handed the
    messages that are for it.
    """

    def __init__(self) -> None:
        self._sent: list[bytes] = []

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:
        self._sent.append(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        raise BlockingIOError("messages are handed to pyVoIP, it does not fetch them")

    def setblocking(self, flag: bool) -> None:
        """Do nothing: pyVoIP says so with every response."""

    def close(self) -> None:
        self._sent.clear()

    def take(self) -> list[Draft]:
        """Return what was sent since the last time."""
        sent, self._sent = self._sent, []
        return [Draft(data.decode("utf-8")) for data in sent]
