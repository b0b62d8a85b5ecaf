"""PJSIP in this process, on loopback; a skip where pjsua2 is missing, a failure where it must be.

Import it before anything of ``telephony.stacks.pjsip``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

if importlib.util.find_spec("pjsua2") is None:
    _MESSAGE = "pjsua2 is not installed: pip install pjsua2-python (Python 3.11 and 3.12)"
    if os.environ.get("CI") == "true" and sys.version_info < (3, 13):
        pytest.fail(_MESSAGE, pytrace=False)
    pytest.skip(_MESSAGE, allow_module_level=True)

from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.sip.admission import Admission, AdmissionConfig
from telephony.sip.flow import Transport
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.peer_policy import PeerPolicy
from telephony.stacks.pjsip.config import PjsipConfig
from telephony.stacks.pjsip.leg import PjsipLeg
from telephony.stacks.pjsip.stack import PjsipStack
from tests.support.eventually import eventually
from tests.support.stacks import Party, until

LOUD = bytes([0x10, 0x90]) * 80


@dataclass
class Bot:
    """A stack of PJSIP; its inbound legs wait in ``legs``."""

    stack: PjsipStack
    legs: list[PjsipLeg] = field(default_factory=list)
    ports: dict[Transport, int] = field(default_factory=dict)

    def uri(self, transport: Transport = "udp") -> str:
        return f"sip:bob@127.0.0.1:{self.ports[transport]};transport={transport}"

    async def next_leg(self) -> PjsipLeg:
        await until(lambda: self.legs)
        return self.legs.pop(0)

    async def answer(self, party: Party) -> PjsipLeg:
        """Take the next call and let ``party`` speak; returns once it stands."""
        leg = await self.next_leg()
        leg.listen(party)
        leg.prepare()
        leg.answer()
        await until(party.confirmed.is_set)
        leg.media.start(party)
        return leg


@asynccontextmanager
async def pjsip(
    *,
    policy: PeerPolicy | None = None,
    admission: AdmissionConfig | None = None,
    kinds: tuple[Transport, ...] = ("udp", "tcp"),
    **changes: Any,
) -> AsyncIterator[Bot]:
    """Run a stack that listens on free ports; ``changes`` are fields of its config."""
    ids = Ids(os.urandom)
    values: dict[str, Any] = {
        "media": MediaConfig("127.0.0.1", "127.0.0.1"),
        "media_ports": (38000, 38199),
    }
    config = PjsipConfig(**{**values, **changes})
    legs: list[PjsipLeg] = []
    stack = PjsipStack(
        config,
        asyncio.get_running_loop(),
        monotonic,
        ids,
        Admission(admission or AdmissionConfig(), ids),
        legs.append,
        policy,
    )
    bot = Bot(stack, legs)
    try:
        await stack.open()
        for kind in kinds:
            bot.ports[kind] = await stack.listen((kind,), "127.0.0.1", 0)
        yield bot
        # A BYE may have to be repeated.
        await eventually(lambda: stack.legs == 0)
    finally:
        await stack.close()
