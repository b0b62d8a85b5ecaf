"""Kamailio in front of the bot, as config/kamailio has it: TLS outside, UDP inside.

It is on the path of every call, and its two sides are two addresses of loopback. SIPp speaks no
TLS: another Kamailio stands before it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telephony.audio.g711 import pcmu_to_l16
from telephony.audio.wav import write_wav
from tests.support.baresip import baresip
from tests.support.certificates import Authority, Issued
from tests.support.kamailio import FIXTURES, FRONT, running_kamailio, text
from tests.support.ports import free_ports
from tests.support.sipp import SCENARIOS, SippRun, run_sipp, sipp_server
from tests.system.bot import PROMPTS, Bot, run_command, running_bot
from tests.system.conftest import RunScenario
from tests.system.listening import Samples, likeness, read_channels
from tests.system.rtp_peer import RtpPeer, frames_of, silence

pytestmark = pytest.mark.system

PUBLIC, INSIDE, BOTS = "127.0.0.1", "127.0.0.2", "127.0.0.3"

DIALPLAN = """\
contexts:
  main:
    - name: to a desk, else to the agent
      when: {called: desk}
      do: [answer, {play: announcement.wav}, {transfer: "100"}, {connect_model: {agent: rehearsal}}]
    - name: to a desk at once
      when: {called: desk_first}
      do: [{transfer: "100"}, {connect_model: {agent: rehearsal}}]
    - name: an agent that transfers
      when: {called: switchboard}
      do: [{connect_model: {agent: switchboard}}]
    - name: an announcement
      when: {called: announcement}
      do: [{play: announcement.wav}, hangup]
    - name: deaf model
      when: {called: slow}
      do: [{connect_model: {agent: deaf}}]
    - name: everyone
      do: [{connect_model: {agent: rehearsal}}]
"""

SCENARIO = """\
name: switchboard
turns:
  - {when: greeting, say: greeting, call: {name: transfer, arguments: {destination: desk}}}
  - {when: any, say: you_said}
"""


@dataclass(frozen=True, slots=True)
class Front:
    """The proxy and the bots behind it; ``sip`` is where a caller without TLS finds it."""

    bots: tuple[Bot, ...]
    sip: tuple[str, int]
    tls: tuple[str, int]
    log: Path

    @property
    def bot(self) -> Bot:
        return self.bots[0]


@contextmanager
def front_of(
    directory: Path,
    agents: Mapping[str, Mapping[str, Any]],
    *,
    bots: int = 1,
    edge: bool = True,
    carrier: str = "127.0.0.1:9",
) -> Iterator[Front]:
    """Run the proxy and its bots, and an edge that turns a caller's UDP into TLS."""
    ports = free_ports(4 + 2 * bots)
    inside, sip_port = ports + 2, ports + 4
    issued = Authority(directory).issue("proxy", dns=["localhost"], addresses=[PUBLIC])
    listed = directory / "dispatcher.list"
    listed.write_text("".join(f"1 sip:{BOTS}:{sip_port + 2 * n}\n" for n in range(bots)))
    with ExitStack() as running:
        trunk = {
            "servers": carrier,
            "outbound_proxy": f"{INSIDE}:{inside}",
            "inbound": {"addresses": INSIDE},
            "keepalive": False,
        }
        behind = tuple(
            running.enter_context(
                running_bot(
                    directory / f"bot{n}",
                    {"sip": {"host": BOTS, "udp_port": sip_port + 2 * n, "tcp_port": None}},
                    agents={
                        **agents,
                        "switchboard": {
                            "base_url": "rehearsal",
                            "greeting": "Greet.",
                            "transfers": {"desk": {"to": "100"}},
                        },
                    },
                    trunks={"proxy": trunk},
                    dialplan=DIALPLAN,
                    scenario=SCENARIO,
                )
            )
            for n in range(bots)
        )
        definitions: dict[str, int | str | Path] = {
            "PUBLIC": PUBLIC,
            "INSIDE": INSIDE,
            "PUBLIC_PORT": ports,
            "TLS_PORT": ports + 1,
            "INSIDE_PORT": inside,
            "BOTS": text(listed),
            "PING_INTERVAL": 1,
            # Two would hand a 180 and its 200 on in either order.
            "CHILDREN": 1,
            **_files(issued),
        }
        log = running.enter_context(
            running_kamailio(FRONT, directory / "front", inside, definitions)
        )
        sip = (PUBLIC, ports)
        if edge:
            sip = (PUBLIC, running.enter_context(_edge(directory / "edge", ports + 1, issued)))
        yield Front(behind, sip, (PUBLIC, ports + 1), log)


@contextmanager
def _edge(directory: Path, tls_port: int, issued: Issued) -> Iterator[int]:
    port = free_ports(2)
    definitions: dict[str, int | str | Path] = {
        "PORT": port,
        "TLS_PORT": port + 1,
        "NEXT": text(f"sip:{PUBLIC}:{tls_port};transport=tls"),
        **_files(issued),
    }
    with running_kamailio(FIXTURES / "edge.cfg", directory, port, definitions):
        yield port


def _files(issued: Issued) -> dict[str, str]:
    return {"CERTIFICATE": text(issued.certificate), "PRIVATE_KEY": text(issued.private_key)}


@pytest.fixture(scope="module")
def carrier_port() -> int:
    return free_ports(2)


@pytest.fixture(scope="module")
def shared_front(
    tmp_path_factory: pytest.TempPathFactory,
    agents: dict[str, dict[str, Any]],
    carrier_port: int,
) -> Iterator[Front]:
    directory = tmp_path_factory.mktemp("front")
    with front_of(directory, agents, carrier=f"127.0.0.1:{carrier_port}") as front:
        yield front


@pytest.fixture
async def front(shared_front: Front) -> AsyncIterator[Front]:
    shared_front.bot.forget_log()
    yield shared_front
    await shared_front.bot.idle()
    shared_front.bot.assert_log_clean()


async def the_call(front: Front) -> dict[str, Any]:
    (call,) = await front.bot.logged("call.finished")
    assert call["trunk"] == "proxy"
    return call


def heard_by(rtp: RtpPeer) -> Samples:
    pcm16 = pcmu_to_l16(b"".join(packet.payload for packet in rtp.packets))
    return np.frombuffer(pcm16, "<i2") / 32768.0


# -- calls ----------------------------------------------------------------------------------------


async def test_a_word_and_the_caller_hangs_up(
    front: Front, sipp: RunScenario, rtp: RtpPeer
) -> None:
    """RTP goes past the proxy; requests within the call go through it, both ways."""
    said = silence(110) + frames_of(PROMPTS / "caller_yes.wav")
    speaking = asyncio.create_task(rtp.speak(said))
    run = await sipp("basic", front, pause_ms=4800)
    speaking.cancel()
    call = await the_call(front)
    assert (call["cause"], call["transport"]) == ("caller_hung_up", "udp")
    assert call["packets_received"] > 150
    assert call["turns"] == 1
    assert likeness(heard_by(rtp), PROMPTS / "greeting.wav") > 0.9
    assert rtp.source is not None
    assert rtp.source[0] == BOTS
    # Edge and front stand in the way twice each: once per transport.
    answer = run.messages.partition("SIP/2.0 200 OK")[2].partition("Content-Length")[0]
    hops = [line for line in answer.splitlines() if line.startswith("Record-Route:")]
    assert ["transport=tls" in hop for hop in hops] == [False, True, True, False]
    assert f"<sip:{INSIDE}:" in hops[0]


async def test_the_bot_hangs_up(front: Front, sipp: RunScenario) -> None:
    await sipp("called_hangs_up", front, service="announcement")
    assert (await the_call(front))["cause"] == "dialplan_hung_up"


async def test_cancelled_before_the_answer(front: Front, sipp: RunScenario) -> None:
    await sipp("cancel", front, service="slow")
    assert (await the_call(front))["cause"] == "caller_cancelled"


@pytest.mark.parametrize(
    ("hold_direction", "hold_address"),
    [("a=sendonly", "[local_ip]"), ("a=sendrecv", "0.0.0.0")],
)
async def test_hold_and_resume(
    front: Front, sipp: RunScenario, hold_direction: str, hold_address: str
) -> None:
    values = {
        "hold_direction": hold_direction,
        "hold_address": hold_address,
        "answer_direction": "recvonly",
    }
    await sipp("hold", front, pause_ms=300, values=values)
    assert (await the_call(front))["cause"] == "caller_hung_up"
    assert len(front.bot.events("leg.held")) == len(front.bot.events("leg.resumed")) == 1


async def test_hold_by_update(front: Front, sipp: RunScenario) -> None:
    await sipp("update", front, pause_ms=300)
    await the_call(front)
    assert len(front.bot.events("leg.held")) == len(front.bot.events("leg.resumed")) == 1


async def test_the_session_timer(front: Front, sipp: RunScenario) -> None:
    """422 with Min-SE, the interval agreed upon, and a refresh by the caller."""
    await sipp("session_interval", front, pause_ms=300)
    assert (await the_call(front))["cause"] == "caller_hung_up"


@pytest.mark.parametrize("called", ["announcement", "bot"])
async def test_a_softphone_over_tls(shared_front: Front, tmp_path: Path, called: str) -> None:
    """It connects to the proxy itself and checks its certificate; either side hangs up."""
    shared_front.bot.forget_log()
    authority = shared_front.log.parents[1] / "test-authority.pem"
    host, port = shared_front.tls
    # It hangs up at the end of what it has to say.
    quiet = tmp_path / "quiet.wav"
    quiet.write_bytes(write_wav(bytes(20 * 16000), 8000))
    async with baresip(tmp_path, play=quiet, transport="tls", authority=authority) as phone:
        await phone.dial(f"sip:{called}@{host}:{port};transport=tls")
        await phone.until("CALL_ESTABLISHED")
        if called == "bot":
            await asyncio.sleep(2.5)
            await phone.hangup()
        await phone.until("CALL_CLOSED")
    call = await the_call(shared_front)
    by_bot = called == "announcement"
    assert call["cause"] == ("dialplan_hung_up" if by_bot else "caller_hung_up")
    heard = read_channels(phone.heard())[0]
    assert likeness(heard, PROMPTS / ("short_answer.wav" if by_bot else "greeting.wav")) > 0.9
    await shared_front.bot.idle()


# -- transfers ------------------------------------------------------------------------------------

REFER_TO = {"refer_to": "sip:100@127.0.0.1:[0-9]+"}


@pytest.mark.parametrize("service", ["desk", "switchboard"])
async def test_the_caller_is_transferred(
    front: Front, sipp: RunScenario, rtp: RtpPeer, service: str
) -> None:
    """By the dialplan, or by the model's tool; either way what was said before is heard."""
    await sipp("referred", front, service=service, values=REFER_TO)
    call = await the_call(front)
    assert call["cause"] == "transferred"
    (transfer,) = front.bot.events("transfer.finished")
    assert (transfer["to"], transfer["mode"]) == ("100", "blind")
    assert (transfer["outcome"], transfer["status"]) == ("transferred", 200)
    prompt = "short_answer" if service == "desk" else "greeting"
    assert likeness(heard_by(rtp), PROMPTS / f"{prompt}.wav") > 0.9


@pytest.mark.parametrize(
    ("scenario", "outcome", "status"),
    [("refer_fails", "busy", 486), ("refer_refused", "not_taken", 603)],
)
async def test_a_failed_transfer_gives_the_caller_back(
    front: Front, sipp: RunScenario, rtp: RtpPeer, scenario: str, outcome: str, status: int
) -> None:
    values = {**REFER_TO, "outcome": "486 Busy Here"} if scenario == "refer_fails" else REFER_TO
    await sipp(scenario, front, service="desk_first", pause_ms=2500, values=values)
    assert (await the_call(front))["cause"] == "caller_hung_up"
    (transfer,) = front.bot.events("transfer.finished")
    assert (transfer["outcome"], transfer["status"]) == (outcome, status)
    assert likeness(heard_by(rtp), PROMPTS / "greeting.wav") > 0.9


# -- who may, and whom the bot calls ---------------------------------------------------------------


async def test_who_goes_around_the_proxy_gets_nothing(front: Front) -> None:
    dropped = "telephony_admission_dropped_total"
    before = (await front.bot.scrape()).total(dropped)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.setblocking(False)
        for method in ("OPTIONS", "INVITE", "REGISTER"):
            stranger.sendto(_request(method, stranger.getsockname()), front.bot.sip)
        await front.bot.counted(dropped, before + 2)
        with pytest.raises(BlockingIOError):
            stranger.recv(4096)
    assert not front.bot.events("call.finished")


def _request(method: str, source: tuple[str, int]) -> bytes:
    host, port = source
    return (
        f"{method} sip:bot@{BOTS} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{method}{port};rport\r\n"
        f"From: <sip:stranger@{host}>;tag=1\r\nTo: <sip:bot@{BOTS}>\r\n"
        f"Call-ID: {method}-{port}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:stranger@{host}:{port}>\r\nContent-Length: 0\r\n\r\n"
    ).encode()


async def test_the_bot_calls_out_through_the_proxy(
    front: Front, carrier_port: int, tmp_path: Path
) -> None:
    scenario = SCENARIOS / "called_talks.xml"
    async with sipp_server(scenario, tmp_path, port=carrier_port, extra=("-d", "300")) as far:
        status, output = await run_command(
            front.bot.directory,
            *("dial", "+15550123", "--agent", "rehearsal", "--trunk", "proxy"),
            *("--config", "telephony.yaml"),
        )
        assert status == 0, output
        run = await far.finished()
    assert run.succeeded, str(run)
    assert f"Record-Route: <sip:{PUBLIC}:" in run.messages


# -- draining -------------------------------------------------------------------------------------


async def test_a_draining_bot_gets_no_more_calls(
    tmp_path: Path, agents: dict[str, dict[str, Any]], rtp: RtpPeer
) -> None:
    """Its present call lives, new ones go to the other bot without a refusal."""
    for name in ("present", "new0", "new1"):
        (tmp_path / name).mkdir()
    with front_of(tmp_path, agents, bots=2, edge=False) as front:
        present = asyncio.create_task(_call(front, tmp_path / "present", rtp, pause_ms=4500))
        draining = await _who_answered(front.bots)
        (other,) = (bot for bot in front.bots if bot is not draining)
        draining.terminate()
        await draining.logged("drain.started")
        # Nothing but OPTIONS comes now: the second one was surely answered with 503.
        asked = "telephony_sip_requests_received_total"
        await draining.counted(asked, (await draining.scrape()).total(asked) + 1)
        for number in range(2):
            run = await _call(front, tmp_path / f"new{number}", rtp, pause_ms=100)
            assert run.succeeded, str(run)
        assert not present.done()
        run = await present
        assert run.succeeded, str(run)
        assert await draining.exited() == 0
        causes = [call["cause"] for call in draining.events("call.finished")]
        assert causes == ["caller_hung_up"]
        assert len(await other.logged("call.finished", 2)) == 2


async def _call(front: Front, directory: Path, rtp: RtpPeer, pause_ms: int) -> SippRun:
    return await run_sipp(
        SCENARIOS / "basic.xml",
        front.sip,
        directory,
        keys={"rtp_port": str(rtp.port)},
        extra=("-d", str(pause_ms)),
    )


async def _who_answered(bots: tuple[Bot, ...]) -> Bot:
    while True:
        for bot in bots:
            if (await bot.scrape()).total("telephony_calls_active"):
                return bot
        await asyncio.sleep(0.02)
