"""The native stack plugged together: guard, admission, TLS, user agent, sockets."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime

import structlog

from telephony.app.connection_log import ConnectionLog
from telephony.app.guard_watch import GuardWatch
from telephony.app.settings_mapping import (
    to_admission_config,
    to_guard_config,
    to_tls_config,
    to_user_agent_config,
)
from telephony.app.sip_ports import SipPorts
from telephony.app.stack_side import SideParts
from telephony.base.errors import LocalProtocolError
from telephony.net.clock import monotonic
from telephony.net.tls import TlsContexts
from telephony.sip.admission import Admission, AdmissionConfig
from telephony.sip.config import UserAgentConfig
from telephony.sip.flow import Address, Transport
from telephony.sip.source_guard import SourceGuard
from telephony.sip.user_agent import UserAgent
from telephony.stacks.call_core import BotCore
from telephony.stacks.capabilities import CAPABILITIES, Capabilities, StackName
from telephony.stacks.native import NativeStack
from telephony.stacks.peer_policy import PeerPolicy
from telephony.stacks.trunks.reaching import Asker, Endpoint, Reach
from telephony.stacks.trunks.running import RunningTrunks, TrunkListener

log = structlog.get_logger()


class NativeSide:
    """Implements :class:`telephony.app.stack_side.StackSide`; see there for the contract.

    ``name`` says which stack this is: another user agent in the shape of ours takes its place.
    """

    name: StackName = "native"

    def __init__(self, parts: SideParts) -> None:
        settings = parts.settings
        self._parts = parts
        self._resources = AsyncExitStack()
        # The user agent reads it with every message; it is filled in once the ports are known.
        advertised: dict[Transport, Address] = {}
        self.guard = SourceGuard(
            to_guard_config(settings.security, parts.directory.identifies_peers)
        )
        self.admission = Admission(self._admission_config(), parts.ids, self.guard)
        self.tls_contexts = TlsContexts(to_tls_config(settings.tls))
        config = to_user_agent_config(settings.sip, advertised)
        self.user_agent = self.make_user_agent(config)
        self.stack = NativeStack(
            self.user_agent,
            parts.plane,
            parts.on_inbound,
            parts.trace,
            policy=parts.policy,
            guard=self.guard,
            tls=self.tls_contexts,
        )
        self.ports = SipPorts(
            settings, self.stack, self.tls_contexts, advertised, parts.ids, parts.opener
        )
        self.stack.endpoint.failure_listeners.append(ConnectionLog(monotonic).failed)

    def make_user_agent(self, config: UserAgentConfig) -> BotCore:
        return UserAgent(config, self._parts.ids, self.admission, self.guard)

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES[self.name]

    @property
    def max_calls(self) -> int | None:
        return None

    @property
    def placer(self) -> NativeStack:
        return self.stack

    @property
    def endpoint(self) -> Endpoint:
        return self.stack.endpoint

    @property
    def dialogs(self) -> int:
        # A call of ours that was cancelled has no dialog: its 487 is still to be acknowledged.
        return max(len(self.user_agent.dialogs), len(self.user_agent.legs))

    @property
    def certificate_valid_until(self) -> datetime | None:
        return self.tls_contexts.not_after

    def bound(self, transport: Transport) -> list[Address]:
        if transport == "udp":
            return list(self.stack.endpoint.udp_sockets.bound)
        return list(self.stack.endpoint.streams.bound[transport])

    async def listen(self) -> None:
        await self.ports.listen()

    def keep_trunks(self, reach: Reach, listener: TrunkListener) -> RunningTrunks:
        trunks = RunningTrunks(
            self._parts.directory,
            Asker(self.stack, reach),
            reach,
            self.user_agent.contact_for,
            self._parts.ids,
            monotonic,
            listener,
        )
        self.stack.endpoint.flow_listeners.append(trunks.flow_failed)
        return trunks

    def start(self) -> None:
        metrics, guard, endpoint = self._parts.metrics, self.guard, self.stack.endpoint
        metrics.expose_counters("sip", self.user_agent.stats)
        metrics.expose_counters("sip_streams", endpoint.streams.stats)
        if endpoint.udp is not None:
            metrics.expose_counters("sip_udp", endpoint.udp.stats)
        metrics.expose_counters("admission", self.admission.stats)
        metrics.expose_counters("guard", guard.stats)
        metrics.expose_gauge(
            "security_banned_sources",
            "Sources that are banned now.",
            lambda: len(guard.banned(monotonic())),
        )
        watch = GuardWatch(guard, metrics.source_banned)
        watching = asyncio.create_task(watch.run(), name="guard")
        self._resources.callback(watching.cancel)

    def use_policy(self, policy: PeerPolicy) -> None:
        self.stack.policy = policy

    def peers_changed(self) -> None:
        try:
            self.admission.reload(self._admission_config())
        except LocalProtocolError as error:
            log.error("trunk.peers_contradict", reason=str(error))

    def _admission_config(self) -> AdmissionConfig:
        return to_admission_config(self._parts.settings.security, self._parts.directory)

    def refuse_options(self, retry_after_s: int) -> None:
        self.user_agent.answer_options_with(503, [("Retry-After", str(retry_after_s))])

    def reload_certificates(self) -> None:
        self.tls_contexts.reload()

    async def stop(self) -> None:
        await self.ports.close()
        await self._resources.aclose()

    async def close(self) -> None:
        await self.stack.close()
