"""How a trunk is doing, as far as we know."""

from __future__ import annotations

from dataclasses import dataclass, field

from telephony.stacks.trunk import KeepalivePolicy, Trunk, TrunkLimits
from telephony.stacks.trunks.load import TrunkLoad


@dataclass(slots=True)
class ServerHealth:
    """Whether one server answers; it is thought to until it did not often enough."""

    up: bool = True
    last_status: int = 0
    _contrary: int = 0

    def note(self, answered: bool, policy: KeepalivePolicy) -> bool:
        """Take the outcome of one OPTIONS; True when the server's state changed."""
        if answered is self.up:
            self._contrary = 0
            return False
        self._contrary += 1
        if self._contrary < (policy.up_after if answered else policy.down_after):
            return False
        self.up, self._contrary = answered, 0
        return True


@dataclass(slots=True)
class TrunkStatus:
    """Written by the registrar and the keepalive, read by the dialler and by people.

    ``registered`` is None for a trunk that does not register; ``registered_until`` is monotonic.
    """

    servers: dict[str, ServerHealth] = field(default_factory=dict)
    load: TrunkLoad = field(default_factory=lambda: TrunkLoad(TrunkLimits()))
    registered: bool | None = None
    registered_with: str = ""
    registered_until: float = 0.0
    registration_error: str = ""
    registrations_failed: int = 0

    @classmethod
    def of(cls, trunk: Trunk) -> TrunkStatus:
        return cls(
            servers={uri: ServerHealth() for uri in trunk.next_hops},
            load=TrunkLoad(trunk.limits),
            registered=None if trunk.register is None else False,
        )

    @property
    def up(self) -> bool:
        """True while a server answers, or none is asked."""
        return not self.servers or any(server.up for server in self.servers.values())

    @property
    def usable(self) -> bool:
        """Up, and registered where that is asked for: what the dialler tries first."""
        return self.up and self.registered is not False

    def is_server_up(self, uri: str) -> bool:
        server = self.servers.get(uri)
        return server is None or server.up
