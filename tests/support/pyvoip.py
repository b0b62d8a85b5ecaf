"""A pyVoIP stack on loopback, for tests against the native one."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.net.pacer import Pacer
from telephony.sip.config import UserAgentConfig
from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.peer_policy import PeerPolicy
from telephony.stacks.rtp_media import MediaConfig, MediaPlane
from tests.sip.wire import HandPeer
from tests.support.ports import port_pool

if TYPE_CHECKING:
    from telephony.stacks.pyvoip.user_agent import PyvoipUserAgent


def require_pyvoip() -> None:
    """Skip the module that calls it when pyVoIP is missing; where CI runs it may not be."""
    if importlib.util.find_spec("pyVoIP") is not None:
        return
    wanted = os.environ.get("REQUIRED_STACKS", "").split()
    if os.environ.get("CI") == "true" or "pyvoip" in wanted:
        raise RuntimeError("pyVoIP is not installed, and every test is to run")
    pytest.skip("pyVoIP is not installed: pip install pyVoIP", allow_module_level=True)


@asynccontextmanager
async def pyvoip_stack(
    seed: int,
    codecs: tuple[str, ...] = ("pcmu", "pcma"),
    policy: PeerPolicy | None = None,
    config: UserAgentConfig | None = None,
    **options: Any,
) -> AsyncIterator[tuple[NativeStack, int, list[NativeLeg]]]:
    """Run a pyVoIP stack: the stack, its port, and the legs that came in."""
    user_agent = user_agent_of(seed, config, **options)
    loop = asyncio.get_running_loop()
    pacer = Pacer(loop)
    ids = Ids.seeded(seed + 1000)
    plane = MediaPlane(
        MediaConfig("127.0.0.1", "127.0.0.1", codecs=codecs),  # type: ignore[arg-type]
        loop,
        port_pool(20, ids),
        pacer,
        monotonic,
        ids,
    )
    legs: list[NativeLeg] = []
    stack = NativeStack(user_agent, plane, legs.append, policy=policy)
    port = await stack.endpoint.listen("127.0.0.1", 0, tcp=False)
    try:
        yield stack, port, legs
    finally:
        pacer.close()
        await stack.close()


def user_agent_of(
    seed: int, config: UserAgentConfig | None = None, **options: Any
) -> PyvoipUserAgent:
    from telephony.stacks.pyvoip.user_agent import PyvoipUserAgent

    return PyvoipUserAgent(config or UserAgentConfig(), Ids.seeded(seed), **options)


def hand_peer(config: UserAgentConfig | None = None, **options: Any) -> HandPeer:
    """Return a peer that writes every message to a pyVoIP stack by hand, in virtual time."""
    agent: Any = user_agent_of(7, config, **options)
    return HandPeer(agent=agent)


def faults(peer: HandPeer) -> dict[str, int]:
    """Return what pyVoIP raised so far."""
    agent: Any = peer.agent
    return dict(agent.pyvoip_stats.faults)
