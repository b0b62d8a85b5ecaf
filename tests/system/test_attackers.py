"""Scanners, floods, forgers and eavesdroppers against the running bot, while a call goes on.

On loopback every attacker has an address of 127.0.0.0/8 of his own. The trunk ``carrier`` is known
by its address, the trunk ``phone`` by its password; whoever else there is hears nothing.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from telephony.base.ids import Ids
from telephony.sip.credentials import Credentials
from telephony.sip.digest_client import DigestClient
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.peer_process import peer_process
from tests.support.peers import require_program
from tests.support.sip_source import (
    Address,
    Dialog,
    SipSource,
    place_call,
    sdp,
    sip_source,
    status_of,
)
from tests.system.bot import Bot, running_bot
from tests.system.listening import read_channels
from tests.system.rtp_peer import rtp_peer
from tests.system.siege import (
    CARRIER,
    Siege,
    banned,
    besieging,
    longest_call,
    offences_of,
    released,
    send_all,
)

pytestmark = pytest.mark.system

PHONE = "127.0.0.9"
PASSWORD = "swordfish"
TRUNKS: dict[str, dict[str, Any]] = {
    "carrier": {"inbound": {"addresses": [CARRIER]}},
    "phone": {"inbound": {"authenticate": {"username": "alice", "password": "${ALICE_PASSWORD}"}}},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "sip": {"t1_ms": 50, "t2_ms": 400, "t4_ms": 500},
    "security": {"ban_s": 2.0, "max_ban_s": 4.0},
}
LOUD = b"\x80\x00" * 80


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Bot]:
    """The bot that all attack; in the end it is as it was."""
    issued = authority.issue("bot", dns=["bot.example"])
    directory = tmp_path_factory.mktemp("besieged")
    settings = {
        **SETTINGS,
        "sip": {**SETTINGS["sip"], "tls_port": 0},
        "tls": {"certificate": str(issued.certificate), "private_key": str(issued.private_key)},
        "media": {"recording_dir": str(directory / "recordings")},
    }
    environ = {"ALICE_PASSWORD": PASSWORD}
    with running_bot(directory, settings, trunks=TRUNKS, environ=environ) as bot:
        yield bot


# SIPVicious


def disguised(directory: Path) -> Path:
    """Copy SIPVicious as an attacker does: under the name of a telephone.

    Only svmap does what its option for the source address says; the others learn it here.
    """
    source = Path("/usr/share/sipvicious/sipvicious")
    copy = directory / "sipvicious"
    shutil.copytree(source, copy)
    for path in copy.rglob("*.py"):
        text = path.read_text().replace("friendly-scanner", "PolycomVVX-VVX_400-UA/5.4")
        bind = "self.bindingip = bindingip"
        text = text.replace(bind, f"{bind} or __import__('os').environ['SOURCE']")
        path.write_text(text.replace('"sipvicious"', '"Bob"').replace("'sipvicious'", "'Bob'"))
    return directory


@dataclass(frozen=True)
class Scanner:
    """SIPVicious' programs, as they are or with another face."""

    directory: Path
    library: Path | None

    async def run(self, program: str, source: str, bot: Bot, *arguments: str) -> str:
        """Run a program to its end, and return what it found out."""
        if self.library is None:
            command = [require_program(program)]
        else:
            start = f"from sipvicious.{program} import main; main()"
            command = ["/usr/bin/python3", "-c", start]
        place = self.directory / f"{program}-{source}"
        place.mkdir()
        words = [*command, "-b", source, "-p", str(bot.sip[1]), *arguments, bot.sip[0]]
        environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(self.library or ""), "SOURCE": source}
        async with peer_process(words, place, place / "log", environ) as process:
            await process.wait()
        return (place / "log").read_text(errors="replace")


async def enumerate_extensions(bot: Bot, host: str) -> None:
    """Ask for every extension, answers or not; all of them get the same."""
    async with sip_source(host, bot.sip) as source:
        for number in range(100, 140):
            source.send(source.request("INVITE", str(number)))
            source.send(source.request("REGISTER", str(number)))
            await asyncio.sleep(0.002)
        assert set(source.statuses) <= {401}


async def test_sipvicious_and_held_connections(besieged: Bot, tmp_path: Path) -> None:
    """Both at once, as both take their time."""
    require_program("svmap")
    before = (await besieged.scrape()).total("telephony_security_bans_total")
    async with besieging(besieged) as siege:
        await asyncio.gather(sipvicious_learns_nothing(besieged, tmp_path), hold_and_drip(siege))
        await released(besieged)
    scraped = await besieged.scrape()
    assert scraped.total("telephony_security_bans_total") >= before + 6


async def sipvicious_learns_nothing(bot: Bot, tmp_path: Path) -> None:
    careless, careful = Scanner(tmp_path, None), Scanner(tmp_path, disguised(tmp_path))
    hosts = [f"127.0.0.{number}" for number in range(30, 38)]
    words = tmp_path / "words"
    words.write_text("\n".join(["1234", "alice", PASSWORD, "secret"] * 20))

    async def scan(scanner: Scanner, own: list[str]) -> Sequence[str]:
        many = ("-e100-400", "--force")
        return await asyncio.gather(
            scanner.run("svmap", own[0], bot),
            scanner.run("svwar", own[1], bot, *many, "--maximumtime=2"),
            scanner.run("svwar", own[2], bot, *many, "-m", "INVITE"),
            scanner.run("svcrack", own[3], bot, "-u", "alice", "-d", str(words)),
        )

    for found in await asyncio.gather(scan(careless, hosts[:4]), scan(careful, hosts[4:])):
        for report in found:
            assert "found nothing" in report, report
            assert "Traceback" not in report
    # Those of them that have their source address from the system are 127.0.0.1.
    await banned(bot, "127.0.0.1", hosts[0])
    assert offences_of(bot, "127.0.0.1", hosts[0]) == {"scanner"}
    # With another face they give up after one question without an answer; others insist.
    await asyncio.gather(*(enumerate_extensions(bot, host) for host in hosts[5:7]))
    await banned(bot, *hosts[5:7])


def guesses(source: SipSource, challenge: bytes, user: str, password: str) -> str:
    head = challenge.decode().split("\r\n")
    values = [line.partition(": ")[2] for line in head if line.startswith("WWW-Authenticate")]
    client = DigestClient(Credentials(user, password), Ids.seeded(random.randrange(2**30)))
    uri = f"sip:bot@{source.bot[0]}:{source.bot[1]}"
    value = client.answer(values, "INVITE", uri, carried=False)
    return f"Authorization: {value}\r\n"


async def called_with_password(source: SipSource, port: int) -> Dialog:
    """Call as the trunk ``phone``: asked for its password, it has the right one."""
    body = sdp(source.address[0], port)
    challenge = await source.ask("INVITE", body=body)
    assert status_of(challenge) == 401
    return await place_call(
        source, port, headers=guesses(source, challenge, "alice", PASSWORD), cseq=2
    )


async def test_passwords_are_not_guessed_and_their_owner_gets_in(besieged: Bot) -> None:
    words = [f"word{number}" for number in range(15)]
    right = [*words[:8], PASSWORD, *words]
    async with besieging(besieged) as siege:
        bot = siege.bot

        async def crack(host: str, words: Sequence[str], patient: int = 0) -> list[int]:
            """Try the words; an attacker waits for each answer as long as he has patience.

            He has more of it at the first ``patient`` words, unless he is banned.
            """
            async with sip_source(host, bot.sip) as source:
                for number, word in enumerate(words):
                    waits = number < patient and not offences_of(bot, host)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(3.0 if waits else 0.15):
                            challenge = await source.ask("INVITE")
                            headers = guesses(source, challenge, "alice", word)
                            await source.ask("INVITE", cseq=2, headers=headers)
                return source.statuses

        hosts = [f"127.0.0.{number}" for number in range(70, 76)]
        async with sip_source(PHONE, bot.sip) as phone, rtp_peer(PHONE) as rtp:
            first = await called_with_password(phone, rtp.port)
            assert status_of(await first.ask("BYE")) == 200
            # After eight failures a guess is looked at every few seconds: not the next one.
            statuses = await crack(hosts[0], right, patient=8)
            assert set(statuses) == {401}
            cracking = asyncio.gather(*(crack(host, words) for host in hosts[1:]))
            await bot.logged("source.banned")
            during = await called_with_password(phone, rtp.port)
            await rtp.received(5)
            assert status_of(await during.ask("BYE")) == 200
            heard = await cracking
        # Many sources have one user name's patience between them: most guesses are not looked at.
        assert {status for statuses in heard for status in statuses} == {401}
        await banned(bot, hosts[0])
        offences = {line["offence"] for line in bot.events("source.banned")}
        assert offences <= {"authentication_failed", "unknown_source"}
        scraped = await bot.scrape()
        assert scraped.total("telephony_admission_throttled_total") > 0


# Strangers


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("reject", {"INVITE": 403, "OPTIONS": 403, "REGISTER": 403}),
        ("accept", {"INVITE": 404, "OPTIONS": 200, "REGISTER": 405}),
    ],
)
async def test_strangers_by_setting(policy: str, expected: dict[str, int], tmp_path: Path) -> None:
    settings = {**SETTINGS, "security": {"unknown_sources": policy}}
    trunks = {"carrier": TRUNKS["carrier"]}
    with running_bot(tmp_path / "bot", settings, trunks=trunks) as bot:
        async with sip_source("127.0.0.66", bot.sip) as stranger, rtp_peer(CARRIER) as rtp:
            for method, status in expected.items():
                assert status_of(await stranger.ask(method, "nobody")) == status
            async with sip_source(CARRIER, bot.sip) as carrier:
                call = await place_call(carrier, rtp.port)
                # Who knows a call by its identifiers, but is not who made it, can't take it over.
                replaces = f"{call.call_id};to-tag={call.to_tag};from-tag=from-{call.call_id}"
                headers = f"Replaces: {replaces}\r\n"
                body = sdp("127.0.0.66", 9)
                taken = await stranger.ask("INVITE", headers=headers, body=body)
                assert status_of(taken) == (403 if policy == "reject" else 481)
                assert status_of(await call.ask("BYE")) == 200
        await bot.idle()
        bot.assert_log_clean()


async def test_strangers_hear_nothing_as_soon_as_there_is_a_trunk(tmp_path: Path) -> None:
    trunks = {"carrier": TRUNKS["carrier"]}
    with running_bot(tmp_path / "bot", SETTINGS, trunks=trunks) as bot:
        async with sip_source("127.0.0.66", bot.sip) as stranger:
            for user in ("bot", "nobody", "100"):
                for method in ("INVITE", "OPTIONS", "REGISTER", "CANCEL", "BYE", "SUBSCRIBE"):
                    stranger.send(stranger.request(method, user))
            stranger.send(b"INVITE sip:bot@b SIP/2.0\r\nVia: nonsense\r\n\r\n")
            stranger.send(stranger.request("BYE", to_tag="guessed", call_id="call-1"))
            await bot.logged("source.banned")
        async with sip_source("127.0.0.66", bot.sip) as stranger:
            async with sip_source(CARRIER, bot.sip) as carrier:
                # The trunk's answer comes after all that strangers could have got.
                assert status_of(await carrier.ask("OPTIONS")) == 200
                assert status_of(await carrier.ask("INVITE", "nobody", body=sdp(CARRIER, 9))) == 404
            assert stranger.received == []
        bot.assert_log_clean()


# Floods


async def test_floods_and_forged_sources(besieged: Bot) -> None:
    async with besieging(besieged) as siege, rtp_peer(CARRIER) as rtp:
        bot = siege.bot
        with ExitStack() as forged:
            senders = [
                forged.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                for _ in range(150)
            ]
            for number, sender in enumerate(senders):
                sender.bind((f"127.0.1.{number + 1}", 0))

            async def flood(host: str, method: str) -> list[int]:
                async with sip_source(host, bot.sip) as source:
                    await send_all(source, [source.request(method) for _ in range(2000)])
                    return source.statuses

            async def forge() -> None:
                for _ in range(8):
                    for sender in senders:
                        data = siege.carrier.request("INVITE", body=sdp("127.0.0.1", 9))
                        sender.sendto(data, bot.sip)
                    await asyncio.sleep(0.02)

            hosts = ("127.0.0.41", "127.0.0.42", "127.0.0.43")
            attack = asyncio.gather(
                flood(hosts[0], "INVITE"),
                flood(hosts[1], "OPTIONS"),
                flood(hosts[2], "REGISTER"),
                forge(),
            )
            call = await place_call(siege.carrier, rtp.port)
            await rtp.received(20)
            assert status_of(await call.ask("BYE")) == 200
            statuses = list((await attack)[:3])
        await banned(bot, *hosts)
        # As many challenges as it takes to be banned, and nothing to who asks for anything else.
        assert set(statuses[0]) == {401}
        assert len(statuses[0]) < 30
        assert statuses[1:] == [[], []]


# Streams


async def connected(host: str, to: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*to, local_addr=(host, 0))


async def ended(writers: Sequence[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def hold_and_drip(siege: Siege) -> None:
    """Half messages and half handshakes are given up, their senders banned; trunks get in."""
    bot, writers = siege.bot, []
    for number in range(12):
        _, writer = await connected("127.0.0.51", siege.tcp)
        writer.write(b"INVITE sip:bot@127.0.0.1 SIP/2.0\r\nVia: ")
        writers.append(writer)
        _, writer = await connected("127.0.0.52", siege.tls)
        writer.write(bytes.fromhex("160301020001fc0303")[: 1 + number])
        writers.append(writer)
    many = [await connected("127.0.0.53", siege.tcp) for _ in range(110)]
    writers += [writer for _, writer in many]
    await eventually(lambda: sum(reader.at_eof() for reader, _ in many) >= 10)

    async def drip() -> None:
        while True:
            await asyncio.sleep(0.2)
            for writer in writers[::2]:
                writer.write(b"x")

    dripping = asyncio.create_task(drip())
    reader, writer = await connected(CARRIER, siege.tcp)
    writer.write(siege.carrier.request("OPTIONS", transport="TCP"))
    assert (await reader.readline()).startswith(b"SIP/2.0 200")
    writers.append(writer)
    await banned(bot, "127.0.0.51", "127.0.0.52")
    dripping.cancel()
    await ended(writers)
    assert offences_of(bot, "127.0.0.51", "127.0.0.52") == {"slow"}


async def test_many_connections_from_everywhere(besieged: Bot) -> None:
    limit = 2000
    async with besieging(besieged) as siege:
        bot, writers = siege.bot, []
        for number in range(22):
            for _ in range(95):
                with suppress(OSError):
                    writers.append((await connected(f"127.0.2.{number + 1}", siege.tcp))[1])
        # The kernel takes connections before the bot does.
        await bot.counted("telephony_sip_streams_refused_total", 22 * 95 - limit - 50)
        for _ in range(3):
            reader, writer = await connected(CARRIER, siege.tcp)
            writer.write(siege.carrier.request("OPTIONS", transport="TCP"))
            assert (await reader.readline()).startswith(b"SIP/2.0 200")
            writers.append(writer)
        await ended(writers)


async def answer_of(host: str, to: Address, data: bytes) -> bytes:
    """Send octets over a new connection; return what comes back until it ends, or for a moment."""
    try:
        reader, writer = await connected(host, to)
    except OSError:
        return b""
    back = b""
    with suppress(OSError, TimeoutError):
        writer.write(data)
        async with asyncio.timeout(0.3):
            while chunk := await reader.read(4096):
                back += chunk
    await ended([writer])
    return back


async def test_garbage_on_stream_ports(besieged: Bot) -> None:
    chance = random.Random(5061)
    async with besieging(besieged) as siege:
        bot, source = siege.bot, siege.carrier
        invite = source.request("INVITE", body=sdp("127.0.0.1", 9), transport="TCP")
        plain = [
            *(chance.randbytes(chance.randrange(1, 2000)) for _ in range(4)),
            b"GET / HTTP/1.1\r\nHost: bot\r\n\r\n",
            bytes.fromhex("16030100050100000103"),
            invite.replace(b"Content-Length: ", b"Content-Length: 9"),
            invite.replace(b"Content-Length: ", b"Content-Length: -"),
            invite.replace(b"Content-Length: ", b"Content-Length: 1\r\nContent-Length: "),
            b"\r\n" * 50_000,
            b"INVITE sip:bot@b SIP/2.0\r\n" + b"X: y\r\n" * 20_000,
        ]
        hello = bytes.fromhex("160301")
        secret = [invite, *plain[:5], hello + b"\xff\xff" + bytes(500), hello + b"\0\4\1\0\0\0"]
        secret += [hello + b"\0\x05hello"] * 22
        for number, data in enumerate(plain):
            back = await answer_of(f"127.0.3.{number + 1}", siege.tcp, data)
            assert b"SIP/2.0" not in back
            # The same from a trunk: answered at most, and never a reason to lock it out.
            await answer_of(CARRIER, siege.tcp, data)
        for data in secret:
            assert b"SIP/2.0" not in await answer_of("127.0.0.54", siege.tls, data)
        await banned(bot, "127.0.0.54")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(
            *siege.tls, ssl=context, local_addr=(CARRIER, 0), server_hostname="bot.example"
        )
        writer.write(source.request("OPTIONS", transport="TLS"))
        assert (await reader.readline()).startswith(b"SIP/2.0 200")
        await ended([writer])
        assert {line["source"] for line in bot.events("source.banned")} == {"127.0.0.54"}


# Messages


def nested(depth: int) -> tuple[str, bytes]:
    """Return the Content-Type and body of multiparts within each other."""
    body = b"v=0\r\n"
    kind = "application/sdp"
    for level in range(depth):
        mark = f"b{level}"
        head = f"--{mark}\r\nContent-Type: {kind}\r\n\r\n".encode()
        body, kind = (
            head + body + f"\r\n--{mark}--\r\n".encode(),
            f"multipart/mixed;boundary={mark}",
        )
    return kind, body


def hostile(source: SipSource, chance: random.Random) -> Iterator[bytes]:
    body = sdp("127.0.0.1", 9)
    blanks = " " * 8000
    yield from (chance.randbytes(chance.randrange(1, 1400)) for _ in range(50))
    yield source.request("INVITE", body=body) + bytes(60_000)
    yield source.request("INVITE", headers="X: y\r\n" * 10_000)
    yield source.request("INVITE", headers=f"X: {'y' * 60_000}\r\n")
    yield source.request("INVITE", headers="Via: SIP/2.0/UDP 127.0.0.1:9;branch=b\r\n" * 500)
    yield source.request("INVITE", headers=f"Record-Route: {'<sip:127.0.0.1;lr>,' * 400}\r\n")
    yield source.request("INVITE", headers="Content-Length: 99999999999999999999\r\n")
    yield source.request("INVITE", headers="Content-Length: 60000\r\n")
    for depth in (3, 30, 300):
        kind, parts = nested(depth)
        data = source.request("INVITE", body=parts)
        yield data.replace(b"application/sdp", kind.encode(), 1)
    for value in ("Digest realm=" + blanks + "x y", "Digest " + "a=1," * 2000):
        yield source.request("INVITE", headers=f"Authorization: {value}\r\n" * 3)
    for _ in range(20):
        yield source.request("OPTIONS").replace(b";rport;", f";rport={blanks}x y;".encode(), 1)
    yield source.request("INVITE", uri=f"tel:{'1' * 8000}")
    yield source.request("INVITE", body=b"v=0\r\n" + b"a=x\r\n" * 6000)
    yield source.request("INVITE", headers=f"Replaces: {'a;' * 4000}\r\n", body=body)


async def test_hostile_messages_from_strangers_and_from_a_trunk(besieged: Bot) -> None:
    async with besieging(besieged) as siege:
        bot = siege.bot
        async with sip_source("127.0.0.61", bot.sip) as stranger:
            await send_all(stranger, list(hostile(stranger, random.Random(4475))), 5)
            await banned(bot, "127.0.0.61")
            assert set(stranger.statuses) <= {401}
        async with sip_source(CARRIER, bot.sip) as trunk:
            messages = list(hostile(trunk, random.Random(4475)))
            await send_all(trunk, messages, 5)
            assert status_of(await trunk.ask("OPTIONS")) == 200
            # What a trunk gets wrong it is told, once.
            assert len(trunk.received) <= len(messages) * 3
        assert {line["source"] for line in bot.events("source.banned")} == {"127.0.0.61"}


async def test_log_and_record_are_no_place_to_write_into(besieged: Bot) -> None:
    forged = '\x1b[2J\u2028{"event": "forged"}\u202e'
    async with besieging(besieged) as siege, rtp_peer(CARRIER) as rtp:
        headers = f'User-Agent: {forged}\r\nP-Asserted-Identity: "{forged}" <sip:1@2>\r\n'
        call = await place_call(siege.carrier, rtp.port, headers=headers)
        assert status_of(await call.ask("BYE")) == 200
        (line,) = await siege.bot.logged("call.finished")
        await siege.bot.cdr_of(line)
        written = siege.bot.log_text + siege.bot.cdr_file.read_text()
        assert not siege.bot.events("forged")
        assert not any(mark in written for mark in "\x1b\u2028\u202e")


# Media


async def test_injected_and_probing_rtp(besieged: Bot, tmp_path: Path) -> None:
    async with besieging(besieged) as siege:
        bot, media = siege.bot, siege.call.media
        header = siege.rtp.packets[0]
        async with sip_source("127.0.0.81", bot.sip) as stranger:
            probes = [b"", b"\x80", b"\x80\x00", bytes(12), b"\x80\x00" + bytes(10)]
            probes += [
                b"\x80\xc8\x00\x01" + bytes(4),
                b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
            ]
            for port in bot.rtp_ports:
                for probe in probes:
                    stranger.send(probe, (media[0], port))
                if port % 10 == 0:
                    await asyncio.sleep(0.002)
            for number in range(100):
                # With the numbers and the source identifier of the caller, and of the bot.
                for ssrc in (0x5195, header.ssrc, 7):
                    sequence = (siege.rtp.sequence_number + number) & 0xFFFF
                    head = b"\x80\x00" + sequence.to_bytes(2) + bytes(4) + ssrc.to_bytes(4)
                    stranger.send(head + LOUD, media)
                await asyncio.sleep(0.01)
            assert stranger.received == []
    ours = longest_call(besieged)
    assert ours["packets_refused"] >= 300
    caller = read_channels(Path(ours["recording"]))[0]
    assert abs(caller).max() < 0.01


# Toll fraud


async def test_nobody_makes_the_bot_call(besieged: Bot) -> None:
    async with besieging(besieged) as siege:
        for target in ("+19005550100", "sip:+19005550100@127.0.0.1:9"):
            refer = f"Refer-To: <{target if ':' in target else f'sip:{target}@127.0.0.7'}>\r\n"
            assert status_of(await siege.call.ask("REFER", refer)) in (403, 603)
            assert status_of(await siege.carrier.ask("REFER", headers=refer)) in (
                403,
                405,
                481,
                603,
            )
        for user in ("+19005550100", "100", "admin"):
            body = sdp(CARRIER, 9)
            assert status_of(await siege.carrier.ask("INVITE", user, body=body)) == 404
        assert not any(status == 0 for status in siege.carrier.statuses)
