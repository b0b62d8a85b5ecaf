"""Opens listening ports: the one that is wanted or, if allowed, the next that is free."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from telephony.base.errors import TelephonyError
from telephony.net.listen import PortInUse
from telephony.sip.flow import Address

PORTS_TRIED = 50


class CannotListen(TelephonyError):  # noqa: N818 - what happened, not whose fault it is
    """An address of the settings can't be listened on, for another reason than a taken port."""


class PortOpener:
    """``replaced`` has what a port was for, the port wanted and the port got."""

    def __init__(self, *, next_free_port: bool = False) -> None:
        self.replaced: list[tuple[str, int, int]] = []
        self._next_free_port = next_free_port

    async def open(
        self, what: str, wanted: Address, listen: Callable[[int], Awaitable[int]]
    ) -> int:
        """Open a port or, if allowed, the next one that is free; even steps keep pairs apart.

        ``listen`` opens a port and returns which. Raises PortInUse, CannotListen.
        """
        host, port = wanted
        for candidate in range(port, min(port + 2 * PORTS_TRIED, 65535), 2):
            try:
                bound = await listen(candidate)
            except PortInUse:
                if not self._next_free_port:
                    raise
                continue
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise CannotListen(f"{what} on {host} port {candidate}: {reason}") from None
            if bound != port and port:
                self.replaced.append((what, port, bound))
            return bound
        raise PortInUse(what, host, port)
