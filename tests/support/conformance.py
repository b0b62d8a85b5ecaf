"""One signalling stack under test: the side of the bot that the settings name, and a telephone."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest
from prometheus_client import CollectorRegistry

from telephony.app.port_opener import PortOpener
from telephony.app.settings_mapping import to_media_config
from telephony.app.signalling import Signalling
from telephony.app.stack_checks import MODULES, is_installed
from telephony.app.stack_side import InboundLeg
from telephony.base.dialing import DialRequest
from telephony.base.ids import Ids
from telephony.base.interfaces import Leg
from telephony.net.clock import monotonic
from telephony.net.pacer import Pacer
from telephony.net.port_pool import PortPool
from telephony.observe.metrics import Metrics
from telephony.sip.events import ReferReceived
from telephony.stacks.capabilities import CAPABILITIES, Capabilities, StackName
from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.rtp_media import MediaPlane
from telephony.stacks.trunk import Trunk
from tests.support.server import settings
from tests.support.stacks import Party, stack, until

STACKS: tuple[StackName, ...] = ("native", "pjsip", "pyvoip")

_seeds = itertools.count(400)


def require(name: StackName) -> None:
    """Skip what needs a stack that is not installed; where all are asked for, fail."""
    if is_installed(name):
        return
    message = f"{MODULES[name]} is not installed"
    if name in os.environ.get("REQUIRED_STACKS", "").split():
        pytest.fail(message)
    pytest.skip(message)


@dataclass
class Bot:
    """The stack under test; inbound legs wait in ``legs``, the statuses of full trunks beside."""

    name: StackName
    signalling: Signalling
    plane: MediaPlane
    legs: list[InboundLeg] = field(default_factory=list)
    full: list[int | None] = field(default_factory=list)

    @property
    def can(self) -> Capabilities:
        return CAPABILITIES[self.name]

    @property
    def port(self) -> int:
        address = self.signalling.listening("udp")
        assert address is not None
        return address[1]

    def uri(self, user: str = "bot") -> str:
        return f"sip:{user}@127.0.0.1:{self.port}"

    async def next_leg(self) -> InboundLeg:
        """Return the inbound leg that nobody took yet, once it is there."""
        await until(lambda: self.legs)
        return self.legs.pop(0)

    async def dial(self, target: str, party: Party, ring_timeout_s: float = 10.0) -> Leg:
        request = DialRequest(target, ring_timeout_s=ring_timeout_s)
        return await self.signalling.dialer.dial(request, party)


@asynccontextmanager
async def bot(
    name: StackName, trunks: Sequence[Trunk] = (), **sections: dict[str, Any]
) -> AsyncIterator[Bot]:
    """Give the stack as the bot has it, listening on loopback."""
    require(name)
    loop = asyncio.get_running_loop()
    sip = {"stack": name, "tcp_port": None, **sections.pop("sip", {})}
    wanted = settings(sip=sip, **sections)
    ids = Ids(os.urandom)
    pacer = Pacer(loop)
    media = wanted.media
    plane = MediaPlane(
        to_media_config(wanted, "127.0.0.1"),
        loop,
        PortPool(media.port_min, media.port_max, ids, 0.0),
        pacer,
        monotonic,
        ids,
    )
    legs: list[InboundLeg] = []
    full: list[int | None] = []

    def incoming(leg: InboundLeg, status: int | None) -> None:
        legs.append(leg)
        full.append(status)

    signalling = Signalling(
        wanted,
        trunks,
        plane,
        Metrics(CollectorRegistry(auto_describe=True), "test"),
        ids,
        incoming,
        PortOpener(),
    )
    try:
        await signalling.listen()
        signalling.start()
        yield Bot(name, signalling, plane, legs, full)
    finally:
        await signalling.stop()
        await until(lambda: signalling.side.dialogs == 0)
        await signalling.side.close()
        pacer.close()
        assert plane.ports.in_use == 0


@dataclass
class Phone:
    """A telephone of the native stack; calls to it wait in ``legs``, REFERs in ``referrals``."""

    stack: NativeStack
    port: int
    legs: list[NativeLeg]
    referrals: list[ReferReceived] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"sip:phone@127.0.0.1:{self.port}"

    def call(self, uri: str, party: Party) -> NativeLeg:
        leg = self.stack.place_call(uri, "sip:+15550199@127.0.0.1")
        leg.listen(party)
        return leg

    async def next_leg(self) -> NativeLeg:
        await until(lambda: self.legs)
        return self.legs.pop(0)

    def follow(self, referral: ReferReceived, party: Party) -> NativeLeg:
        """Call where a REFER leads, in the place of the dialog that it names."""
        replaces = (("Replaces", unquote(referral.replaces)),) if referral.replaces else ()
        leg = self.stack.place_call(referral.refer_to, "sip:+15550199@127.0.0.1", replaces)
        leg.listen(party)
        return leg


@asynccontextmanager
async def phone(codecs: tuple[str, ...] = ("pcmu", "pcma")) -> AsyncIterator[Phone]:
    """Give a telephone that leaves every answer to who holds it, also that to a REFER."""
    async with stack(next(_seeds) % 200 + 20, codecs) as (native, port, legs):
        telephone = Phone(native, port, legs)

        def referred(leg: NativeLeg, event: ReferReceived) -> None:
            telephone.referrals.append(event)
            leg.refer_received(event, allowed=True)

        native._react[ReferReceived] = referred
        yield telephone


@dataclass
class Talk:
    """A call that is up, with both its ends."""

    bot: Bot
    phone: Phone
    ours: Leg
    theirs: NativeLeg
    we: Party
    they: Party

    async def hear_each_other(self) -> None:
        """Return once each end has heard the other since now."""
        self.we.heard.clear()
        self.they.heard.clear()
        await until(lambda: is_loud(self.we) and is_loud(self.they))

    async def over(self) -> None:
        await until(lambda: self.we.over.is_set() and self.they.over.is_set())


LOUD = bytes([0x10, 0x90]) * 80
"""20 ms of PCMU: a square wave of 4 kHz, whatever a jitter buffer does to its edges."""


def is_loud(party: Party) -> bool:
    """Tell whether a party heard more than silence: G.711's codes of small values are 0x7F/0xFF."""
    return any(len({byte & 0x70 for byte in frame} - {0x70}) > 0 for frame in party.heard[-5:])


@asynccontextmanager
async def talk(name: StackName, **options: Any) -> AsyncIterator[Talk]:
    """Call the stack under test, answer, and let both ends speak."""
    async with bot(name, **options) as ours, phone() as telephone:
        they, we = Party(says=LOUD), Party(says=LOUD)
        theirs = telephone.call(ours.uri(), they)
        leg = await ours.next_leg()
        leg.listen(we)
        leg.prepare()
        leg.ring()
        leg.answer()
        await until(lambda: we.confirmed.is_set() and they.confirmed.is_set())
        leg.media.start(we)
        theirs.media.start(they)
        call = Talk(ours, telephone, leg, theirs, we, they)
        try:
            yield call
        finally:
            leg.hangup()
            await call.over()
            leg.close()
            theirs.close()
