"""A telephone on this machine: one native stack, made for a caller and closed after its call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from telephony.audio.format import Codec
from telephony.base.ids import Ids
from telephony.base.interfaces import DigitMode
from telephony.net.clock import monotonic
from telephony.net.listen import PortInUse
from telephony.net.pacer import Pacer
from telephony.net.port_pool import PortPool
from telephony.net.rtp_endpoint import OpenEndpoint, open_endpoint
from telephony.net.sip_endpoint import Trace
from telephony.rehearsal.caller import SipCaller
from telephony.rehearsal.network import ImpairedEndpoint, Network
from telephony.rtp.frames import JitterConfig
from telephony.sip.config import UserAgentConfig
from telephony.sip.user_agent import UserAgent
from telephony.stacks.native import NativeStack
from telephony.stacks.rtp_media import MediaConfig, MediaPlane

RTP_PORTS = (40000, 48998)

GOODBYE_S = 2.0
"""How long the answer to a BYE is waited for, which is sent again after 0.5 and 1.5 s."""

OWN_CLOCK = JitterConfig(follow_sender=False)
"""Like a telephone on a desk, whose clock is a crystal: it is for the bot to follow."""


@asynccontextmanager
async def telephone(
    host: str,
    *,
    trace: Trace | None = None,
    network: Network | None = None,
    jitter: JitterConfig = OWN_CLOCK,
    dtmf: DigitMode = "auto",
    codecs: tuple[Codec, ...] = ("pcmu", "pcma"),
) -> AsyncIterator[SipCaller]:
    """Give a caller with sockets of its own on ``host``, an address of this machine.

    ``trace`` sees every SIP message in both directions; RTP takes ``network`` and is held by a
    jitter buffer that behaves as ``jitter`` says; ``dtmf`` says how keys travel, and ``codecs``
    what is offered. Raises OSError for a foreign address.
    """
    loop = asyncio.get_running_loop()
    ids = Ids(os.urandom)
    pacer = Pacer(loop)
    ports = PortPool(*RTP_PORTS, ids, 0.0)
    opened: OpenEndpoint = open_endpoint if network is None else partial(ImpairedEndpoint, network)
    config = MediaConfig(host, codecs=codecs, jitter=jitter, dtmf=dtmf)
    plane = MediaPlane(config, loop, ports, pacer, monotonic, ids, opened)
    user_agent = UserAgent(UserAgentConfig(contact_user="caller", product="telephony-call"), ids)
    stack = NativeStack(user_agent, plane, trace=trace)
    await _listen(stack, host)
    caller = SipCaller(stack, monotonic)
    stack.endpoint.failure_listeners.append(lambda _flow, reason: caller.network_failed(reason))
    try:
        yield caller
    finally:
        await caller.hang_up()
        deadline = monotonic() + GOODBYE_S
        while user_agent.dialogs and monotonic() < deadline:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)
        await stack.close()
        pacer.close()


async def _listen(stack: NativeStack, host: str) -> None:
    """Open UDP and TCP on one port that both have free."""
    for _ in range(20):
        try:
            await stack.endpoint.listen(host, 0)
        except PortInUse:
            continue
        return
    await stack.endpoint.listen(host, 0)
