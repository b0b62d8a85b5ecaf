"""SRTP with a softphone that is not ours, in every suite and both roles."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telephony.audio import g711
from telephony.audio.convert import Converter
from telephony.audio.format import PCMU, AudioFormat
from telephony.audio.wav import read_wav
from telephony.base.ids import Ids
from telephony.base.interfaces import CannotAnswer
from telephony.net.clock import monotonic
from telephony.net.pacer import Pacer
from telephony.sdp.crypto import SUITES
from telephony.sdp.profiles import SrtpMode
from telephony.sip.config import UserAgentConfig
from telephony.sip.user_agent import UserAgent
from telephony.stacks import native_leg
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.peer_policy import PeerPolicy
from telephony.stacks.rtp_media import MediaConfig, MediaPlane, RtpMedia
from tests.support.baresip import Baresip, baresip
from tests.support.eventually import eventually
from tests.support.ports import free_ports, port_pool
from tests.system.bot import PROMPTS
from tests.system.listening import Samples, likeness, read_channels
from tests.system.test_baresip import speech_file

pytestmark = pytest.mark.system

SAID, ANSWERED = "caller_question", "greeting"
FRAME_BYTES = 160


class Party:
    """Says a prompt from the start, hears the other, and keeps what goes over the wire."""

    def __init__(self) -> None:
        prompt = read_wav((PROMPTS / f"{ANSWERED}.wav").read_bytes())
        converter = Converter(AudioFormat("l16", prompt.sample_rate_hz), PCMU)
        self.payload = converter.convert(prompt.pcm16)
        self.heard: list[bytes] = []
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        self._frames = self._cut()

    def _cut(self) -> Iterator[bytes]:
        whole = len(self.payload) - len(self.payload) % FRAME_BYTES
        for at in range(0, whole, FRAME_BYTES):
            yield self.payload[at : at + FRAME_BYTES]

    def hear(self, frame: bytes, now: float) -> None:
        self.heard.append(frame)

    def speak(self, now: float) -> bytes | None:
        return next(self._frames, None)

    def join(self, media: RtpMedia) -> None:
        endpoint: Any = media._endpoint
        session: Any = media._session
        send, receive = endpoint.send, session.receive_datagram

        def note_sent(data: bytes, address: Any) -> None:
            self.sent.append(data)
            send(data, address)

        def note_received(data: bytes, source: Any, now: float) -> None:
            self.received.append(data)
            receive(data, source, now)

        endpoint.send, session.receive_datagram = note_sent, note_received
        media.start(self)

    @property
    def heard_samples(self) -> Samples:
        return samples_of(b"".join(self.heard))


def samples_of(pcmu: bytes) -> Samples:
    return np.frombuffer(g711.pcmu_to_l16(pcmu), "<i2") / 32768.0


@asynccontextmanager
async def stack(mode: SrtpMode, legs: list[NativeLeg]) -> AsyncIterator[tuple[NativeStack, int]]:
    loop, ids = asyncio.get_running_loop(), Ids(os.urandom)
    pacer, port = Pacer(loop), free_ports(1)
    plane = MediaPlane(MediaConfig("127.0.0.1"), loop, port_pool(50, ids), pacer, monotonic, ids)
    agent = UserAgent(UserAgentConfig(contact_user="bot", product="test"), ids)
    policy = PeerPolicy(strangers=MediaPolicy(srtp=mode))
    made = NativeStack(agent, plane, legs.append, policy=policy)
    port = await made.endpoint.listen("127.0.0.1", port)
    try:
        yield made, port
    finally:
        for leg in legs:
            leg.close()
        await made.close()
        pacer.close()


async def talk(leg: NativeLeg, phone: Baresip) -> Party:
    """Exchange the two prompts to their ends; return our side."""
    party = Party()
    party.join(leg.media)
    await phone.until("CALL_ESTABLISHED")
    said = PROMPTS / f"{SAID}.wav"
    seconds = 4.5 + len(read_wav(said.read_bytes()).pcm16) / 16000
    await eventually(lambda: len(party.heard) * 0.02 > seconds)
    await phone.hangup()
    await phone.until("CALL_CLOSED")
    return party


def assert_intact(party: Party, phone: Baresip) -> None:
    assert likeness(party.heard_samples, PROMPTS / f"{SAID}.wav") > 0.9
    heard = read_channels(phone.heard())[0]
    assert likeness(heard, PROMPTS / f"{ANSWERED}.wav") > 0.9, phone.log


def assert_encrypted(party: Party) -> None:
    for wire, prompt in ((party.sent, ANSWERED), (party.received, SAID)):
        payloads = b"".join(data[12 : 12 + FRAME_BYTES] for data in wire)
        assert len(payloads) > 100 * FRAME_BYTES
        assert likeness(samples_of(payloads), PROMPTS / f"{prompt}.wav") < 0.3


@pytest.mark.parametrize("encryption", ["srtp-mand", "srtp-mandf"])
async def test_a_phone_calls_us(encryption: Any, tmp_path: Path) -> None:
    legs: list[NativeLeg] = []
    play = speech_file(tmp_path / "said.wav", SAID)
    async with (
        stack("required", legs) as (_, port),
        baresip(tmp_path, play=play, media_encryption=encryption) as phone,
    ):
        await phone.dial(f"sip:bot@127.0.0.1:{port}")
        await eventually(lambda: legs)
        legs[0].prepare()
        # It offers no other suite, whatever it knows.
        assert b"AES_CM_128_HMAC_SHA1_80 inline:" in legs[0].local_sdp
        legs[0].answer()
        party = await talk(legs[0], phone)
        assert legs[0].media.stats().packets_unauthenticated == 0
    assert_intact(party, phone)
    assert_encrypted(party)


@pytest.mark.parametrize("suite", SUITES)
async def test_we_call_a_phone(suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_leg, "available_suites", lambda: (suite,))
    legs: list[NativeLeg] = []
    play = speech_file(tmp_path / "said.wav", SAID)
    async with (
        stack("required", legs) as (ours, _),
        baresip(tmp_path, play=play, answer="auto", media_encryption="srtp-mand") as phone,
    ):
        leg = ours.place_call(phone.uri, "sip:bot@127.0.0.1")
        legs.append(leg)
        await eventually(lambda: leg.media._session or leg.ended)
        party = await talk(leg, phone)
        assert leg.media.stats().packets_unauthenticated == 0
    assert_intact(party, phone)
    assert_encrypted(party)


async def test_a_phone_that_insists_is_refused_where_srtp_is_off(tmp_path: Path) -> None:
    legs: list[NativeLeg] = []
    play = speech_file(tmp_path / "said.wav", SAID)
    async with (
        stack("off", legs) as (_, port),
        baresip(tmp_path, play=play, media_encryption="srtp-mand") as phone,
    ):
        await phone.dial(f"sip:bot@127.0.0.1:{port}")
        await eventually(lambda: legs)
        with pytest.raises(CannotAnswer) as caught:
            legs[0].prepare()
        legs[0].reject(caught.value.status)
        closed = await phone.until("CALL_CLOSED")
        assert "488" in closed["param"]


async def test_a_phone_without_srtp_is_refused_where_it_is_required(tmp_path: Path) -> None:
    legs: list[NativeLeg] = []
    play = speech_file(tmp_path / "said.wav", SAID)
    async with stack("required", legs) as (_, port), baresip(tmp_path, play=play) as phone:
        await phone.dial(f"sip:bot@127.0.0.1:{port}")
        await eventually(lambda: legs)
        with pytest.raises(CannotAnswer, match="SRTP is required"):
            legs[0].prepare()
        legs[0].reject(488)
        assert "488" in (await phone.until("CALL_CLOSED"))["param"]
