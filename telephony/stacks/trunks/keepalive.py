"""OPTIONS to the servers of a trunk: which of them answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from telephony.base.ids import Ids
from telephony.stacks.trunk import KeepalivePolicy, Trunk
from telephony.stacks.trunks.addressing import address_of_record, domain_of, routes_of
from telephony.stacks.trunks.reaching import Asker, Question
from telephony.stacks.trunks.status import TrunkStatus

OnServerChanged = Callable[[Trunk, str, bool], None]
"""Is told the trunk, the server's URI and whether it is up now."""


class Keepalive:
    """Asks every server of one trunk again and again, until its task is cancelled.

    Any final response but 408 and 503 is an answer: a server that refuses OPTIONS is there.
    """

    def __init__(
        self,
        trunk: Trunk,
        status: TrunkStatus,
        asker: Asker,
        ids: Ids,
        on_changed: OnServerChanged,
    ) -> None:
        self._trunk = trunk
        self._status = status
        self._asker = asker
        self._ids = ids
        self._on_changed = on_changed

    async def run(self) -> None:
        policy = self._trunk.keepalive
        if policy is None:
            return
        while True:
            await self.ask_once(policy)
            await asyncio.sleep(self._spread(policy.options_interval_s))

    async def ask_once(self, policy: KeepalivePolicy) -> None:
        """Ask every server once, all at the same time."""
        async with asyncio.TaskGroup() as tasks:
            for hop in self._trunk.next_hops:
                tasks.create_task(self._ask(hop, policy))

    async def _ask(self, hop: str, policy: KeepalivePolicy) -> None:
        answer = await self._asker.ask(hop, self._question(hop), policy.timeout_s)
        server = self._status.servers.get(hop)
        if server is None:
            return
        server.last_status = answer.status
        if server.note(answer.alive, policy):
            self._on_changed(self._trunk, hop, server.up)

    def _question(self, hop: str) -> Question:
        trunk = self._trunk
        ours = address_of_record(trunk, hop)
        return Question(
            method="OPTIONS",
            uri=f"sip:{domain_of(trunk, hop)}",
            from_uri=ours,
            to_uri=ours,
            headers=lambda flow: [("Accept", "application/sdp")],
            routes=routes_of(trunk),
            credentials=trunk.credentials,
        )

    def _spread(self, interval_s: float) -> float:
        """Return the interval give or take a tenth, so that many bots do not ask in step."""
        return interval_s * (0.9 + 0.2 * self._ids.uint16() / 65_535)
