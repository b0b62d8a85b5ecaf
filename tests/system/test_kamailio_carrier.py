"""Kamailio as a carrier: it registers the bot, calls it, challenges and connects its calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from telephony.audio.wav import write_wav
from tests.support.baresip import baresip
from tests.support.certificates import Authority
from tests.support.kamailio import FIXTURES, kamailio, running_kamailio, text
from tests.support.ports import free_ports
from tests.support.sipp import SCENARIOS, run_sipp, sipp_server
from tests.system.bot import PROMPTS, Bot, run_command, running_bot
from tests.system.conftest import RunScenario
from tests.system.listening import likeness, read_channels
from tests.system.rtp_peer import RtpPeer

pytestmark = pytest.mark.system

SECRETS = {"CARRIER_PASSWORD": "secret", "OLD_PASSWORD": "sesame"}
AGENT_NUMBER = "+15550123"

DIALPLAN = f"""\
contexts:
  main:
    - name: to a person
      when: {{called: spare}}
      do:
        - answer
        - {{transfer: {{to: "{AGENT_NUMBER}", mode: attended, trunks: [carrier]}}}}
        - {{connect_model: {{agent: rehearsal}}}}
    - name: everyone
      do: [{{connect_model: {{agent: rehearsal}}}}]
"""


@dataclass(frozen=True, slots=True)
class Carrier:
    """The carrier's address, the bot behind it, and where its agent has to listen."""

    sip: tuple[str, int]
    agent_port: int
    bot: Bot


def carrier_definitions(
    port: int, agent_port: int, authority: Authority
) -> dict[str, int | str | Path]:
    """Return a carrier that wants to hear from its customers every ten seconds."""
    issued = authority.issue("carrier", addresses=["127.0.0.1"])
    return {
        "PORT": port,
        "TLS_PORT": port + 1,
        "CERTIFICATE": text(issued.certificate),
        "PRIVATE_KEY": text(issued.private_key),
        "MIN_EXPIRES": 60,
        "MAX_EXPIRES": 10,
        "AGENT": text(f"sip:127.0.0.1:{agent_port}"),
    }


def trunk(servers: list[str], username: str, **keys: Any) -> dict[str, Any]:
    return {
        "servers": servers,
        "username": username,
        "password": "${CARRIER_PASSWORD}",
        "register": {"expires_s": 30, "retry_initial_s": 0.2, "retry_max_s": 1},
        "caller_id": {"number": "+15550100", "header": "pai", "from_user": "username"},
        "keepalive": {"options_interval_s": 3, "timeout_s": 3, "down_after": 1},
        **keys,
    }


@contextmanager
def bot_of(
    directory: Path, authority: Authority, trunks: Mapping[str, Mapping[str, Any]]
) -> Iterator[Bot]:
    issued = authority.issue("bot", addresses=["127.0.0.1"])
    settings: dict[str, dict[str, Any]] = {
        # A server that says nothing is given up after 64 times T1.
        "sip": {"t1_ms": 30, "t2_ms": 240, "t4_ms": 500, "tls_port": 0},
        "tls": {
            "certificate": str(issued.certificate),
            "private_key": str(issued.private_key),
            "ca": str(authority.path),
        },
    }
    with running_bot(directory, settings, environ=SECRETS, trunks=trunks, dialplan=DIALPLAN) as bot:
        yield bot


@pytest.fixture(scope="module")
def shared_carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier]:
    directory = tmp_path_factory.mktemp("carrier")
    port, agent_port, dead = free_ports(2), free_ports(20), free_ports(2)
    authority = Authority(directory)
    definitions = carrier_definitions(port, agent_port, authority)
    live = f"127.0.0.1:{port}"
    trunks = {
        "carrier": trunk([live], "bot"),
        "tls": trunk([f"sip:127.0.0.1:{port + 1};transport=tls"], "bottls"),
        "spare": trunk([f"127.0.0.1:{dead}", f"sip:127.0.0.1:{dead};transport=tcp", live], "spare"),
        "cancelled": trunk([live], "former", password="${OLD_PASSWORD}", outbound=False),
        "dead": trunk([f"sip:127.0.0.1:{dead};transport=tcp"], "nobody", register=False),
    }
    with (
        running_kamailio(FIXTURES / "carrier.cfg", directory / "kamailio", port, definitions),
        bot_of(directory / "bot", authority, trunks) as bot,
    ):
        yield Carrier(("127.0.0.1", port), agent_port, bot)


@pytest.fixture
async def carrier(shared_carrier: Carrier) -> AsyncIterator[Carrier]:
    bot = shared_carrier.bot
    await registered(bot, "carrier", "tls", "spare")
    bot.forget_log()
    yield shared_carrier
    await bot.idle()
    now = await bot.scrape()
    assert not now.total("telephony_trunk_calls_active")
    bot.assert_log_clean()


async def registered(bot: Bot, *trunks: str) -> None:
    while True:
        now = await bot.scrape()
        if all(now.total("telephony_trunk_registered", trunk=name) for name in trunks):
            return
        await asyncio.sleep(0.05)


# -- registrations --------------------------------------------------------------------------------


async def test_every_trunk_registers_as_well_as_it_can(carrier: Carrier) -> None:
    """After 423, over TLS, after two dead servers; not with a wrong password."""
    now = await carrier.bot.scrape()
    assert {
        name: now.total("telephony_trunk_registered", trunk=name)
        for name in ("carrier", "tls", "spare", "cancelled")
    } == {"carrier": 1, "tls": 1, "spare": 1, "cancelled": 0}
    failures = "telephony_trunk_registration_failures_total"
    assert now.total(failures, trunk="carrier") == now.total(failures, trunk="tls") == 0
    assert now.total(failures, trunk="spare") == 2
    assert now.total(failures, trunk="cancelled") >= 1
    ups = {name: now.total("telephony_trunk_up", trunk=name) for name in ("carrier", "dead")}
    assert ups == {"carrier": 1, "dead": 0}


@pytest.mark.parametrize(
    ("user", "name", "transport"), [("bot", "carrier", "udp"), ("bottls", "tls", "tls")]
)
async def test_called_through_the_registration(
    carrier: Carrier, sipp: RunScenario, rtp: RtpPeer, user: str, name: str, transport: str
) -> None:
    before = await carrier.bot.scrape()
    await sipp("basic", carrier, service=user, pause_ms=500)
    (call,) = await carrier.bot.logged("call.finished")
    assert (call["trunk"], call["transport"]) == (name, transport)
    assert call["cause"] == "caller_hung_up"
    assert len(rtp.packets) > 10
    after = await carrier.bot.scrape()
    counted = {"trunk": name, "direction": "inbound", "result": "answered"}
    calls = "telephony_trunk_calls_total"
    assert after.total(calls, **counted) == before.total(calls, **counted) + 1


# -- outbound calls -------------------------------------------------------------------------------


async def dial(
    carrier: Carrier, number: str, name: str, *options: str, timeout_s: float = 30
) -> tuple[int, str]:
    return await run_command(
        carrier.bot.directory,
        *("dial", number, "--agent", "rehearsal", "--trunk", name),
        *("--config", "telephony.yaml", "--timeout", f"{timeout_s:g}", *options),
        secrets=SECRETS,
        log_name=f"dial-{number}-{name}",
    )


async def test_dialling_a_person(carrier: Carrier, tmp_path: Path) -> None:
    """The carrier challenges the INVITE, and the agent is heard by who answers."""
    quiet = tmp_path / "quiet.wav"
    quiet.write_bytes(write_wav(bytes(20 * 16000), 8000))
    async with baresip(
        tmp_path, play=quiet, user=AGENT_NUMBER, answer="auto", port=carrier.agent_port
    ) as phone:
        calling = asyncio.create_task(dial(carrier, AGENT_NUMBER, "carrier"))
        await phone.until("CALL_ESTABLISHED")
        await asyncio.sleep(2.5)
        await phone.hangup()
        await phone.until("CALL_CLOSED")
        status, output = await calling
    assert status == 0, output
    assert "callee hung up" in output
    assert likeness(read_channels(phone.heard())[0], PROMPTS / "greeting.wav") > 0.9
    (cdr,) = await carrier.bot.cdrs(called=AGENT_NUMBER, result="answered")
    assert (cdr["direction"], cdr["trunk"]) == ("outbound", "carrier")
    assert cdr["cause"] == "callee_hung_up"
    assert cdr["talk_s"] > 2


async def test_why_a_call_was_not_answered(carrier: Carrier, tmp_path: Path) -> None:
    expected = {
        ("+15550486", "carrier"): (3, "callee_busy", 486),
        ("+15550603", "spare"): (5, "callee_rejected", 603),
        ("4711", "carrier"): (6, "callee_not_found", 404),
        ("+15550111", "dead"): (7, "unreachable", 503),
        (AGENT_NUMBER, "carrier"): (4, "no_answer", 408),
    }
    scenario = SCENARIOS / "called_rings.xml"
    async with sipp_server(scenario, tmp_path, port=carrier.agent_port) as far:
        results = await asyncio.gather(
            *(
                dial(carrier, number, name, timeout_s=3 if number == AGENT_NUMBER else 30)
                for number, name in expected
            )
        )
        run = await far.finished()
    assert run.succeeded, str(run)
    assert [status for status, _ in results] == [status for status, _, _ in expected.values()]
    for (number, _), (_, cause, status) in expected.items():
        (cdr,) = await carrier.bot.cdrs(called=number, cause=cause)
        assert (cdr["direction"], cdr["status"]) == ("outbound", status)


# -- transfer -------------------------------------------------------------------------------------


async def test_an_attended_transfer(carrier: Carrier, sipp: RunScenario, tmp_path: Path) -> None:
    """The consultation leg goes through the carrier; the caller's side is to take its place."""
    far_end = tmp_path / "agent"
    far_end.mkdir()
    scenario = SCENARIOS / "called_rings_and_answers.xml"
    refer_to = r"sip:callee@127.0.0.1:[0-9]+[^>]*\?Replaces=[^>]*to-tag%3Dcallee"
    async with sipp_server(scenario, far_end, port=carrier.agent_port) as agent:
        await sipp("referred", carrier, service="spare", values={"refer_to": refer_to})
        run = await agent.finished()
    assert run.succeeded, str(run)
    bot = carrier.bot
    (transfer,) = await bot.logged("transfer.finished")
    assert (transfer["mode"], transfer["outcome"]) == ("attended", "transferred")
    (call,) = await bot.logged("call.finished")
    assert call["cause"] == "transferred"
    now = await bot.idle()
    assert now.total("telephony_trunk_calls_active", direction="outbound") == 0
    dialled = {"trunk": "carrier", "direction": "outbound", "result": "answered"}
    assert now.total("telephony_trunk_calls_total", **dialled) == 1


# -- time passes ----------------------------------------------------------------------------------


async def test_it_stays_registered(carrier: Carrier) -> None:
    """The carrier grants ten seconds; calls went on meanwhile."""
    while len(grants := _grants(carrier.bot)) < 2:  # noqa: ASYNC110 - its log is all it tells
        await asyncio.sleep(0.05)
    assert set(grants) == {10}


def _grants(bot: Bot) -> list[int]:
    """Return for how long the trunk was registered each time, since the bot was started."""
    lines = [json.loads(line) for line in bot.log_text.split("\n")[:-1]]
    granted = [line for line in lines if line["event"] == "trunk.registered"]
    return [line["expires_s"] for line in granted if line["trunk"] == "carrier"]


async def test_the_registrar_comes_back_and_the_bot_leaves(tmp_path: Path, rtp: RtpPeer) -> None:
    port, agent_port = free_ports(2), free_ports(2)
    authority = Authority(tmp_path)
    definitions = carrier_definitions(port, agent_port, authority)
    configuration = FIXTURES / "carrier.cfg"
    trunks = {"carrier": trunk([f"127.0.0.1:{port}"], "bot")}

    async def called(directory: Path) -> str:
        run = await run_sipp(
            SCENARIOS / "basic.xml",
            ("127.0.0.1", port),
            directory,
            keys={"rtp_port": str(rtp.port)},
            extra=("-d", "200"),
        )
        return "answered" if run.succeeded else run.errors

    through, afterwards = tmp_path / "through", tmp_path / "afterwards"
    through.mkdir()
    afterwards.mkdir()
    with bot_of(tmp_path / "bot", authority, trunks) as bot:
        async with kamailio(configuration, tmp_path / "first", port, definitions):
            await registered(bot, "carrier")
        await bot.logged("trunk.server_down")
        await bot.logged("trunk.registration_failed")
        bot.forget_log()
        async with kamailio(configuration, tmp_path / "second", port, definitions):
            await bot.logged("trunk.registered")
            assert await called(through) == "answered"
            bot.terminate()
            await bot.logged("trunk.unregistered")
            assert await bot.exited() == 0
            # The carrier answers 404 for who is not there.
            assert "404 Not Found" in await called(afterwards)
        bot.assert_log_clean()
