"""A telephone on this machine: one native stack, made for a caller and closed after its call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telephony.base.ids import Ids
from telephony.base.interfaces import DigitMode
from telephony.net.clock import monotonic
from telephony.net.listen import PortInUse
from telephony.net.pacer import Pacer
from telephony.net.port_pool import PortPool
from telephony.net.sip_endpoint import Trace
from telephony.rehearsal.caller import SipCaller
from telephony.sip.config import UserAgentConfig
from telephony.sip.user_agent import UserAgent
from telephony.stacks.native import NativeStack
from telephony.stacks.rtp_media import MediaConfig, MediaPlane

RTP_PORTS = (40000, 48998)


@asynccontextmanager
async def telephone(
    host: str, *, trace: Trace | None = None, dtmf: DigitMode = "auto"
) -> AsyncIterator[SipCaller]:
    """Give a caller with sockets of its own on ``host``, an address of this machine.

    ``trace`` sees every SIP message in both directions; ``dtmf`` says how keys travel. Raises
    OSError for a foreign address.
    """
    loop = asyncio.get_running_loop()
    ids = Ids(os.urandom)
    pacer = Pacer(loop)
    plane = MediaPlane(
        MediaConfig(host, None, dtmf=dtmf),
        loop,
        PortPool(*RTP_PORTS, ids, 0.0),
        pacer,
        monotonic,
        ids,
    )
    user_agent = UserAgent(UserAgentConfig(contact_user="caller", product="telephony-call"), ids)
    stack = NativeStack(user_agent, plane, trace=trace)
    await _listen(stack, host)
    caller = SipCaller(stack, monotonic)
    try:
        yield caller
    finally:
        await caller.hang_up()
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
