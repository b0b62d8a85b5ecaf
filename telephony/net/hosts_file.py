"""Names that the machine itself knows: /etc/hosts."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path

from telephony.net.clock import monotonic

_LOOPBACK = ("127.0.0.1", "::1")
_CHECK_INTERVAL_S = 5.0
_MAX_OCTETS = 1024 * 1024


class HostsFile:
    """Reads the file again when it changed, and looks at most every few seconds whether it did.

    ``localhost`` is always known (RFC 6761 section 6.3), and so are the names below it.
    """

    def __init__(
        self, path: Path = Path("/etc/hosts"), clock: Callable[[], float] = monotonic
    ) -> None:
        self._path = path
        self._clock = clock
        self._checked_at: float | None = None
        self._state: tuple[int, int] | None = None
        self._addresses: dict[str, list[str]] = {}

    def lookup(self, name: str) -> list[str]:
        """Return the numeric addresses of a name in the order of the file; empty when unknown."""
        self._refresh()
        name = name.lower().rstrip(".")
        found = self._addresses.get(name)
        if found is None and (name == "localhost" or name.endswith(".localhost")):
            return list(_LOOPBACK)
        return list(found or ())

    def _refresh(self) -> None:
        now = self._clock()
        if self._checked_at is not None and now - self._checked_at < _CHECK_INTERVAL_S:
            return
        self._checked_at = now
        try:
            stat = self._path.stat()
            state = (stat.st_mtime_ns, stat.st_size)
            if state != self._state:
                with self._path.open("rb") as file:
                    self._addresses = read_hosts(file.read(_MAX_OCTETS).decode(errors="replace"))
                self._state = state
        except OSError:
            self._addresses, self._state = {}, None


def read_hosts(text: str) -> dict[str, list[str]]:
    """Read lines of an address and its names; what is neither is passed over."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or ("",)
        try:
            numeric = str(ipaddress.ip_address(address))
        except ValueError:
            continue
        for name in names:
            addresses = found.setdefault(name.lower().rstrip("."), [])
            if numeric not in addresses:
                addresses.append(numeric)
    return found
