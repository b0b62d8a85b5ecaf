"""The PJSIP stack: the library, whom it lets in, and the legs that its calls become."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import sipmessage
import structlog

from telephony.base.ids import Ids
from telephony.base.interfaces import CannotAnswer, Clock, LegFacts, LegListener
from telephony.net.listen import choose_local
from telephony.sip.admission import Admission
from telephony.sip.credentials import Credentials
from telephony.sip.events import InviteReceived
from telephony.sip.flow import Address, Flow, Transport
from telephony.sip.values import bare_host
from telephony.stacks.call_plan import CallPlan, MediaPolicy, SrtpMode
from telephony.stacks.intake import Intake
from telephony.stacks.peer_policy import PeerPolicy, user_of
from telephony.stacks.pjsip.accounts import PjsipAccount, account_config
from telephony.stacks.pjsip.call_events import CallEvent, CommandFailed, StateChanged
from telephony.stacks.pjsip.config import PjsipConfig
from telephony.stacks.pjsip.director import CallDirector, Directors
from telephony.stacks.pjsip.endpoint import Library, RejectedCall
from telephony.stacks.pjsip.inbound import FrontDoor, Refused
from telephony.stacks.pjsip.leg import PjsipLeg
from telephony.stacks.pjsip.leg_parts import LegParts
from telephony.stacks.pjsip.line import PjsipLine
from telephony.stacks.pjsip.media_budget import MediaBudget
from telephony.stacks.pjsip.outbound import Outbound
from telephony.stacks.pjsip.questions import OnFinished
from telephony.stacks.pjsip.refusal_log import RefusalLog
from telephony.stacks.pjsip.registrations import Registrations
from telephony.stacks.pjsip.stream_front import StreamFront
from telephony.stacks.pjsip.ticker import Ticker
from telephony.stacks.pjsip.transports import Transports
from telephony.stacks.pjsip.worker import Worker

log = structlog.get_logger()

OnIncoming = Callable[[PjsipLeg], None]

COUNT_INTERVAL_S: Final = 0.5
"""How often PJSIP is asked what it has counted."""

REFUSAL_DELAY_S: Final = 0.25

GRACE_S: Final = 1.0
"""How long the director of a call that is over stays: PJSIP may be in one of its callbacks."""


class PjsipStack:
    """Turns PJSIP's callbacks into legs; every inbound one goes to ``on_incoming``.

    ``policy`` may be replaced at any time; calls that are up keep what they have.
    """

    def __init__(
        self,
        config: PjsipConfig,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        ids: Ids,
        admission: Admission,
        on_incoming: OnIncoming,
        policy: PeerPolicy | None = None,
    ) -> None:
        self.policy = policy or PeerPolicy()
        self.config = config
        self.worker = Worker(loop)
        self.ticker = Ticker(loop, clock)
        self.library = Library(self.worker, config, self.ticker.wake)
        self.transports = Transports(config, self.library.create_transport)
        self._budget = MediaBudget()
        self.streams = StreamFront(clock)
        bound, sources = self.transports.bound, self.streams.sources
        self.door = FrontDoor(admission, clock, bound, sources)
        self.library.let_go = self._let_go
        self.directors = Directors()
        self.outbound = Outbound(
            config,
            self.worker,
            self.library,
            self.transports,
            self.directors,
            self.tell,
            self._slow_down,
        )
        self.registrations = Registrations(config, self.worker, self)
        self._loop = loop
        self._clock = clock
        self._ids = ids
        self._on_incoming = on_incoming
        self._incoming_account: PjsipAccount | None = None
        self._legs: dict[int, PjsipLeg] = {}
        self._calls: set[int] = set()
        self._intake = Intake(loop)
        self._refusals = RefusalLog()
        self._counting: asyncio.TimerHandle | None = None

    @property
    def legs(self) -> int:
        """How many calls have not ended."""
        return len(self._calls)

    @property
    def dialogs(self) -> int:
        """How many calls there are, and were a moment ago: their BYEs may have to be repeated."""
        return max(len(self.directors), len(self._calls))

    # Life

    async def open(self) -> None:
        """Create the library and its accounts; raises what PJSIP does."""
        await self.library.open(self)
        await self.worker.run(self._make_accounts)
        self._count()

    def _make_accounts(self) -> None:
        # An account needs a socket, and a socket that calls come in at needs an account.
        first = self.transports.open_first()
        self._incoming_account = PjsipAccount(self)
        self._incoming_account.create(self._incoming_config(), True)
        self.outbound.open(self)
        self.library.endpoint.transportClose(first)

    def _incoming_config(self) -> Any:
        return account_config(self.config, "<sip:localhost>", srtp_of(self.policy))

    async def listen(self, kinds: tuple[Transport, ...], host: str, port: int) -> int:
        """Listen on one port for all of ``kinds``; raises PortInUse, OSError."""
        wanted = port
        port = await self.worker.run(lambda: self.transports.open(kinds, host, wanted))
        for kind in kinds:
            if kind != "udp" and not await self.streams.stand_before(host, port):
                log.warning("pjsip.streams_unguarded", transport=kind, host=host, port=port)
        return port

    def use_policy(self, policy: PeerPolicy) -> None:
        """Treat peers so from now on."""
        self.policy = policy
        made = self._incoming_config()

        def change() -> None:
            if self._incoming_account is not None:
                self._incoming_account.modify(made)

        self.worker.post(change)

    async def close(self) -> None:
        """End every call and the library. Twice is harmless."""
        await self._intake.close()
        await self.streams.close()
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None
        for leg in self._legs.values():
            leg.close()
        self._legs.clear()
        self._calls.clear()
        await self.library.close()

    def _let_go(self) -> None:
        self.library.endpoint.hangupAllCalls()
        self.directors.clear()
        self.outbound.close()
        self.registrations.clear()
        if self._incoming_account is not None:
            self._incoming_account.shutdown()
            self._incoming_account = None

    def _count(self) -> None:
        self._counting = self._loop.call_later(COUNT_INTERVAL_S, self._count)
        if self._calls or self.directors.waiting:
            self.worker.post(self._read_counts)

    def _read_counts(self) -> None:
        for director in self.directors.all():
            director.read_counts()
        self.directors.bury()

    # Calls of ours

    def place_call(
        self, uri: str, from_uri: str, headers: Sequence[tuple[str, str]] = ()
    ) -> PjsipLeg:
        """Send an INVITE to the numeric host of ``uri``.

        Raises:
            ValueError: the URI is none.
            OSError: there is no route to the host.
            CannotAnswer: there is no room for another call.
        """
        target = sipmessage.URI.parse(uri)
        remote = (bare_host(target.host), target.port or 5060)
        plan = CallPlan(
            request_uri=uri,
            from_value=from_uri,
            flow=self.flow_to(remote, _transport(target)),
            headers=headers,
            media=self.policy.strangers,
            called=target.user or "",
            caller=user_of(from_uri),
        )
        return self.call(plan)

    def call(self, plan: CallPlan, listener: LegListener | None = None) -> PjsipLeg:
        """Send the INVITE of ``plan``; raises CannotAnswer when PJSIP has no room for it."""
        if len(self._calls) >= self.library.max_calls:
            reason = f"PJSIP carries {self.library.max_calls} calls at a time"
            raise CannotAnswer(503, reason)
        call_id = f"{self._ids.token(16)}@{plan.flow.local[0]}"
        facts = LegFacts(
            sip_call_id=call_id,
            called=plan.called,
            caller=plan.caller,
            caller_name="",
            source_ip=plan.flow.remote[0],
            transport=plan.flow.transport,
            trunk=plan.trunk,
            headers=dict(plan.headers),
        )
        key = self.directors.new_key()
        leg = self._new_leg(key, facts, None, plan.media, outbound=True)
        if listener is not None:
            leg.listen(listener)
        leg.give_up_after(self.config.ring_timeout_s)
        codecs = plan.media.codecs or self.config.media.codecs
        self.outbound.place(key, plan, call_id, codecs)
        return leg

    def send_request(
        self,
        method: str,
        uri: str,
        from_uri: str,
        to_uri: str,
        flow: Flow,
        on_finished: OnFinished,
        *,
        headers: Sequence[tuple[str, str]] = (),
        routes: Sequence[str] = (),
        credentials: Credentials | None = None,
        call_id: str = "",
        cseq: int = 0,
    ) -> str:
        """Send a request outside of any call; ``on_finished`` hears its outcome, later."""
        name = self.outbound.questions.ask(method, on_finished)
        self.outbound.ask(name, method, uri, from_uri, flow, headers, routes)
        return f"{int(name.this):x}"

    def flow_to(self, remote: Address, transport: Transport, server_name: str = "") -> Flow:
        """Return the flow to a server; PJSIP opens what it needs. Raises OSError."""
        local = choose_local(self.transports.bound[transport], remote)
        return Flow(transport, remote, local, server_name=server_name)

    def failure_of(self, flow: Flow) -> str:
        """Return why nothing could be sent: PJSIP says so with the call itself."""
        return ""

    # What PJSIP reports, in threads of its own

    def incoming_call(self, account: Any, call_id: int, message: bytes, source: str) -> None:
        ports = self.library.ports
        if ports is None:
            return
        self._slow_down()
        key = self.directors.new_key()
        codecs = self.config.media.codecs
        self.directors.add(CallDirector(key, account, ports, self.tell, codecs, call_id))
        self.worker.cross(self._invite_received, key, self.door.receive(key, message, source))

    def _slow_down(self) -> None:
        """Let PJSIP's thread wait when calls begin faster than it has sockets for."""
        wait_s = self._budget.take(self._clock())
        if wait_s > 0:
            self.door.stats.slowed_down += 1
            time.sleep(wait_s)

    def tell(self, key: int, event: CallEvent) -> None:
        """Take an event of a call to the loop; in any thread."""
        self.worker.cross(self._event, key, event)

    def request_answered(self, token: int, status: int, reason: str, message: bytes) -> None:
        self.worker.cross(self.outbound.questions.answered, token, status, reason, message)

    def call_rejected(self, call: RejectedCall) -> None:
        self.worker.cross(self._call_rejected, call)

    def account_for(self, account_id: int) -> int:
        """Let every call come to the account of incoming calls, whomever it asks for."""
        account = self._incoming_account
        return account_id if account is None else int(account.getId())

    # The same in the loop

    def _invite_received(self, key: int, call: InviteReceived | Refused) -> None:
        self._calls.add(key)
        if isinstance(call, Refused):
            self._refuse(key, call)
            return
        policy = self.policy
        facts = policy.read_facts(call)
        media = policy.media_of(facts.trunk)
        leg = self._new_leg(key, facts, call.sdp, media, outbound=False)
        self._intake.take(policy.screen, call, leg, lambda: self._on_incoming(leg))

    def _refuse(self, key: int, call: Refused) -> None:
        """Refuse a call that nobody shall hear of.

        When many come it keeps its place for a while: those after it find PJSIP full, for which no
        socket is opened.
        """
        line = PjsipLine(key, self.worker, self.directors, self.tell)
        delay_s = REFUSAL_DELAY_S if self._budget.is_tight(self._clock()) else 0.0
        self._loop.call_later(delay_s, lambda: line.respond(call.status, headers=call.headers))

    def _new_leg(
        self, key: int, facts: LegFacts, offer: bytes | None, media: MediaPolicy, *, outbound: bool
    ) -> PjsipLeg:
        parts = LegParts(
            self._loop,
            self.config.media,
            self.ticker,
            self._clock,
            self._ids,
            self.library.srtp_suites,
            self.config.bridge_rate_hz,
        )
        line = PjsipLine(key, self.worker, self.directors, self.tell)
        refer_uri = self.policy.refer_uri
        leg = PjsipLeg(parts, line, facts, offer, media, refer_uri, outbound=outbound)
        self._calls.add(key)
        self._legs[key] = leg
        return leg

    def _event(self, key: int, event: CallEvent) -> None:
        leg = self._legs.get(key)
        if leg is not None:
            leg.receive(event)
        over = isinstance(event, StateChanged) and event.state == "disconnected"
        if over or (isinstance(event, CommandFailed) and event.what == "place"):
            self._forget(key)

    def _call_rejected(self, call: RejectedCall) -> None:
        self.door.stats.rejected_by_pjsip += 1
        self._refusals.refused(call.status, call.reason, self._clock())

    def _forget(self, key: int) -> None:
        self._calls.discard(key)
        self._legs.pop(key, None)
        self._loop.call_later(GRACE_S, self.worker.post, lambda: self._discard(key))

    def _discard(self, key: int) -> None:
        """Let a director die, and another call have its port; in the worker's thread."""
        port, ports = self.directors.discard(key), self.library.ports
        if port is not None and ports is not None:
            ports.release(port)


def srtp_of(policy: PeerPolicy) -> SrtpMode:
    """Return what PJSIP allows for every call that comes in; each leg asks its own policy."""
    modes = {media.srtp for media in (policy.strangers, *policy.media.values())}
    return "off" if modes == {"off"} else "optional"


def _transport(uri: sipmessage.URI) -> Transport:
    name = (uri.parameters.get("transport") or "udp").lower()
    if uri.scheme == "sips" or name == "tls":
        return "tls"
    if name not in ("udp", "tcp"):
        raise ValueError(f"transport {name} is not supported")
    return "tcp" if name == "tcp" else "udp"
