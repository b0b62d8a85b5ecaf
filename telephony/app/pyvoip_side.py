"""pyVoIP plugged together: what the native stack is, with another user agent and UDP only."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from traceback import extract_tb

import structlog

from telephony.app.native_side import NativeSide
from telephony.app.settings import Settings
from telephony.app.stack_side import SideParts
from telephony.net.sip_endpoint import SipEndpoint
from telephony.sip.config import UserAgentConfig
from telephony.sip.flow import Address, Flow, Transport
from telephony.stacks.capabilities import StackName
from telephony.stacks.pyvoip.user_agent import PyvoipUserAgent
from telephony.stacks.trunks.reaching import Endpoint

log = structlog.get_logger()

MOST_FAULTS_LOGGED = 100


class FaultLog:
    """Writes down where pyVoIP failed, each place once: the counter tells how often."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def failed(self, error: Exception) -> None:
        # The text of the error may quote what a peer sent: numbers, and worse.
        frame = extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        kind = (type(error).__name__, place)
        if kind not in self._seen and len(self._seen) < MOST_FAULTS_LOGGED:
            self._seen.add(kind)
            log.warning("pyvoip.failed", error=kind[0], at=place, function=frame.name)


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


class PyvoipSide(NativeSide):
    """Implements :class:`telephony.app.stack_side.StackSide`; see there for the contract.

    The module can only be imported where pyVoIP is installed.
    """

    name: StackName = "pyvoip"
    user_agent: PyvoipUserAgent

    def __init__(self, parts: SideParts) -> None:
        super().__init__(replace(parts, settings=udp_only(parts.settings)))
        self._flows = UdpFlows(self.stack.endpoint)

    def make_user_agent(self, config: UserAgentConfig) -> PyvoipUserAgent:
        ids, failed = self._parts.ids, FaultLog().failed
        return PyvoipUserAgent(config, ids, self.admission, self.guard, failed)

    @property
    def endpoint(self) -> Endpoint:
        return self._flows

    def start(self) -> None:
        super().start()
        self._parts.metrics.expose_counters("pyvoip", self.user_agent.pyvoip_stats)


def udp_only(settings: Settings) -> Settings:
    """Return the settings without the ports of transports that pyVoIP does not speak."""
    sip = settings.sip.model_copy(update={"tcp_port": None, "tls_port": None})
    return settings.model_copy(update={"sip": sip})
