"""pyVoIP plugged together: guard, admission, its user agent, UDP sockets."""

from __future__ import annotations

import asyncio
import errno
from contextlib import AsyncExitStack
from datetime import datetime

import structlog

from telephony.app.guard_watch import GuardWatch
from telephony.app.settings import Settings
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
from telephony.net.sip_endpoint import SipEndpoint
from telephony.net.tls import TlsContexts
from telephony.sip.admission import Admission, AdmissionConfig
from telephony.sip.flow import Address, Flow, Transport
from telephony.sip.source_guard import SourceGuard
from telephony.stacks.capabilities import CAPABILITIES, Capabilities
from telephony.stacks.native import NativeStack
from telephony.stacks.peer_policy import PeerPolicy
from telephony.stacks.pyvoip.user_agent import PyvoipUserAgent
from telephony.stacks.trunks.reaching import Asker, Reach
from telephony.stacks.trunks.running import RunningTrunks, TrunkListener

log = structlog.get_logger()


class UdpFlows:
    """The endpoint as trunks see it: flows over UDP, and no others."""

    def __init__(self, endpoint: SipEndpoint) -> None:
        self._endpoint = endpoint

    def flow_to(self, remote: Address, transport: Transport, server_name: str = "") -> Flow:
        """Return a flow; raises OSError for another transport, or without a route."""
        if transport != "udp":
            reason = f"the stack pyvoip does not speak {transport.upper()}"
            raise OSError(errno.EPROTONOSUPPORT, reason)
        return self._endpoint.flow_to(remote)

    def failure_of(self, flow: Flow) -> str:
        return self._endpoint.failure_of(flow)


class PyvoipSide:
    """Implements :class:`telephony.app.stack_side.StackSide`; see there for the contract.

    Raises ImportError when pyVoIP is not installed.
    """

    def __init__(self, parts: SideParts) -> None:
        settings = udp_only(parts.settings)
        self._parts = parts
        self._resources = AsyncExitStack()
        # The user agent reads it with every message; it is filled in once the ports are known.
        advertised: dict[Transport, Address] = {}
        self.guard = SourceGuard(
            to_guard_config(settings.security, parts.directory.identifies_peers)
        )
        self.admission = Admission(self._admission_config(), parts.ids, self.guard)
        self.user_agent = PyvoipUserAgent(
            to_user_agent_config(settings.sip, advertised), parts.ids, self.admission, self.guard
        )
        self.stack = NativeStack(
            self.user_agent,
            parts.plane,
            parts.on_inbound,
            parts.trace,
            policy=parts.policy,
            guard=self.guard,
        )
        tls = TlsContexts(to_tls_config(settings.tls))
        self.ports = SipPorts(settings, self.stack, tls, advertised, parts.ids, parts.opener)
        self._flows = UdpFlows(self.stack.endpoint)

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES["pyvoip"]

    @property
    def max_calls(self) -> int | None:
        return None

    @property
    def placer(self) -> NativeStack:
        return self.stack

    @property
    def endpoint(self) -> UdpFlows:
        return self._flows

    @property
    def dialogs(self) -> int:
        return len(self.user_agent.dialogs)

    @property
    def certificate_valid_until(self) -> datetime | None:
        return None

    def bound(self, transport: Transport) -> list[Address]:
        return list(self.stack.endpoint.udp_sockets.bound) if transport == "udp" else []

    async def listen(self) -> None:
        await self.ports.listen()

    def keep_trunks(self, reach: Reach, listener: TrunkListener) -> RunningTrunks:
        return RunningTrunks(
            self._parts.directory,
            Asker(self.stack, reach),
            reach,
            self.user_agent.contact_for,
            self._parts.ids,
            monotonic,
            listener,
        )

    def start(self) -> None:
        metrics, guard, udp = self._parts.metrics, self.guard, self.stack.endpoint.udp
        metrics.expose_counters("sip", self.user_agent.stats)
        metrics.expose_counters("pyvoip", self.user_agent.pyvoip_stats)
        if udp is not None:
            metrics.expose_counters("sip_udp", udp.stats)
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
        directory = self._parts.directory
        return to_admission_config(
            self._parts.settings.security,
            directory.peers(),
            directory.servers(),
            directory.identifies_peers,
        )

    def refuse_options(self, retry_after_s: int) -> None:
        self.user_agent.answer_options_with(503, [("Retry-After", str(retry_after_s))])

    def reload_certificates(self) -> None:
        """Do nothing: there is no TLS here."""

    async def stop(self) -> None:
        await self.ports.close()
        await self._resources.aclose()

    async def close(self) -> None:
        await self.stack.close()


def udp_only(settings: Settings) -> Settings:
    """Return the settings without the ports of transports that pyVoIP does not speak."""
    sip = settings.sip.model_copy(update={"tcp_port": None, "tls_port": None})
    return settings.model_copy(update={"sip": sip})
