"""Our address as the other side of a NAT sees it, asked for on the SIP socket itself (RFC 8489)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from telephony.base.errors import TelephonyError
from telephony.base.ids import Ids
from telephony.net.listen import Address
from telephony.net.sip_udp import SipUdp
from telephony.net.stun_message import (
    TRANSACTION_ID_BYTES,
    binding_request,
    read_binding_answer,
)
from telephony.sip.flow import Flow

# Section 6.2.1: sent 7 times, 0.5, 1, 2 ... s apart; the last one gets 16 times the first wait.
_FIRST_WAIT_S = 0.5
_REQUESTS = 7
_LAST_WAITS = 16
# RFC 5626 section 4.4.2: NATs forget UDP bindings after half a minute.
_REFRESH_S = 29.0


class StunFailed(TelephonyError):  # noqa: N818 - what happened, not a fault
    """The server did not answer, or refused; ``error`` is its code, 0 without an answer."""

    def __init__(self, server: Address, error: int = 0) -> None:
        self.server = server
        self.error = error
        what = f"refused with {error}" if error else "did not answer"
        super().__init__(f"STUN server {server[0]} port {server[1]} {what}")


@dataclass(slots=True)
class StunStats:
    """Requests and what became of them."""

    requests: int = 0
    answers: int = 0
    unexpected: int = 0
    failures: int = 0
    changes: int = 0


class StunClient:
    """Asks one server about one SIP socket, once or all the time.

    ``on_changed(mapped)`` hears the first address and each different one after it. Answers are
    taken from the server only, and only to a request that waits: nobody else can move us.
    ``first_wait_s`` is the RTO of section 6.2.1.
    """

    def __init__(
        self,
        udp: SipUdp,
        server: Address,
        ids: Ids,
        on_changed: Callable[[Address], None] = lambda mapped: None,
        *,
        refresh_s: float = _REFRESH_S,
        first_wait_s: float = _FIRST_WAIT_S,
    ) -> None:
        self.stats = StunStats()
        self.mapped: Address | None = None
        self.server = server
        self._udp = udp
        self._ids = ids
        self._on_changed = on_changed
        self._refresh_s = refresh_s
        self._first_wait_s = first_wait_s
        self._waiting: dict[bytes, asyncio.Future[Address]] = {}
        self._refreshing: asyncio.Task[None] | None = None
        udp.on_stun = self._received

    async def discover(self) -> Address:
        """Ask once and return the mapped address. Raises StunFailed."""
        transaction_id = bytes.fromhex(self._ids.token(TRANSACTION_ID_BYTES))
        answer: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
        self._waiting[transaction_id] = answer
        try:
            mapped = await self._ask(binding_request(transaction_id), answer)
        except StunFailed:
            self.stats.failures += 1
            raise
        finally:
            del self._waiting[transaction_id]
        if mapped != self.mapped:
            self.stats.changes += self.mapped is not None
            self.mapped = mapped
            # A listener's fault is the loop's to report; we go on asking.
            asyncio.get_running_loop().call_soon(self._on_changed, mapped)
        return mapped

    def start(self) -> None:
        """Ask now and again before the NAT forgets; a server that is silent is asked later."""
        if self._refreshing is None:
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh())

    async def close(self) -> None:
        """Ask no more; what waits for an answer is cancelled."""
        if self._udp.on_stun == self._received:
            self._udp.on_stun = None
        for answer in self._waiting.values():
            answer.cancel()
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
            self._refreshing = None

    async def _ask(self, request: bytes, answer: asyncio.Future[Address]) -> Address:
        flow = Flow("udp", self.server, self._udp.local)
        wait_s = self._first_wait_s
        for number in range(1, _REQUESTS + 1):
            if not self._udp.send(request, flow):
                break
            self.stats.requests += 1
            if number == _REQUESTS:
                wait_s = _LAST_WAITS * self._first_wait_s
            done, _pending = await asyncio.wait((answer,), timeout=wait_s)
            if done:
                return answer.result()
            wait_s *= 2
        raise StunFailed(self.server)

    async def _refresh(self) -> None:
        while True:
            try:
                await self.discover()
            except StunFailed:
                # The last address goes on being used: a wrong one is no worse than none.
                pass
            jitter = 0.8 + 0.2 * self._ids.uint16() / 65535
            await asyncio.sleep(self._refresh_s * jitter)

    def _received(self, data: bytes, remote: Address) -> None:
        answer = read_binding_answer(data)
        waiting = self._waiting.get(answer.transaction_id) if answer is not None else None
        if answer is None or waiting is None or waiting.done() or remote != self.server:
            self.stats.unexpected += 1
            return
        self.stats.answers += 1
        if answer.mapped is not None:
            waiting.set_result(answer.mapped)
        else:
            waiting.set_exception(StunFailed(self.server, answer.error))
