"""Other people's programs over every transport: the endpoint and the user agent, no bot behind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from telephony.base.ids import Ids
from telephony.net.sip_endpoint import SipEndpoint
from telephony.net.sip_stream import StreamLimits
from telephony.net.tls import TlsContexts
from telephony.sip.config import UserAgentConfig
from telephony.sip.events import CallFailed, Event, InviteReceived, LegConfirmed, LegEnded
from telephony.sip.user_agent import UserAgent
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.kamailio import FIXTURES, kamailio, text
from tests.support.peer_process import peer_process
from tests.support.peers import require_program
from tests.support.ports import free_ports

pytestmark = pytest.mark.system

_OPTIONS = (
    "OPTIONS sip:bot@bot.example SIP/2.0\r\n"
    "Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK{number};rport\r\n"
    "From: <sip:probe@example.com>;tag=1\r\nTo: <sip:bot@bot.example>\r\n"
    "Call-ID: {number}@probe\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
_SDP = (
    "v=0\r\no=- 1 1 IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class AnsweringEnd:
    """Answers every call with a media port that nobody reads."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.core = UserAgent(UserAgentConfig(), Ids.seeded(1))
        self.endpoint = SipEndpoint(
            self.core,
            asyncio.get_running_loop(),
            self._on_event,
            stream_limits=StreamLimits(keepalive_s=0.5),
        )
        self.events: list[Event] = []
        self.port = self.tls_port = 0

    def count(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, InviteReceived):
            family = "IP6" if ":" in self.host else "IP4"
            sdp = _SDP.format(family=family, host=self.host, port=free_ports(2))
            self.core.answer(event.leg_id, sdp.encode(), self.endpoint.clock())


@asynccontextmanager
async def answering(
    tls: TlsContexts | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[AnsweringEnd]:
    end = AnsweringEnd(host)
    end.port = await end.endpoint.listen(host, 0)
    if tls is not None:
        end.tls_port = await end.endpoint.listen_tls(host, 0, tls)
    try:
        yield end
    finally:
        await end.endpoint.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def listens(port: int) -> bool:
    """Look for a listening socket without connecting to it."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A" for row in rows)


async def run(program: str, *arguments: str, send: str = "", until: str = "") -> str:
    """Run a program, write ``send`` to it, and return its output once it has ``until`` or ends."""
    process = await asyncio.create_subprocess_exec(
        require_program(program),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    output = ""
    process.stdin.write(send.encode())
    try:
        async with asyncio.timeout(60):
            while chunk := await process.stdout.read(4096):
                output += chunk.decode(errors="replace")
                if until and until in output:
                    break
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
    return output


async def openssl(end: AnsweringEnd, authority: Authority, *options: str) -> str:
    return await run(
        "openssl",
        *("s_client", "-connect", f"127.0.0.1:{end.tls_port}", "-CAfile", str(authority.path)),
        *("-servername", "bot.example", "-verify_hostname", "bot.example", "-ign_eof"),
        *("-verify_return_error", *options),
        send=_OPTIONS.format(number=1),
        until="SIP/2.0 200 OK",
    )


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_asks_over_tls(authority: Authority, version: str) -> None:
    tls = TlsContexts(authority.config(authority.issue("bot", dns=["bot.example"])))
    async with answering(tls) as end:
        output = await openssl(end, authority, version)
    assert "Verify return code: 0 (ok)" in output
    assert "SIP/2.0 200 OK" in output


@pytest.mark.parametrize(
    "options", [("-tls1_1", "-cipher", "ALL@SECLEVEL=0"), ("-tls1_2", "-cipher", "AES128-SHA")]
)
async def test_openssl_gets_nothing_weak(authority: Authority, options: Sequence[str]) -> None:
    tls = TlsContexts(authority.config(authority.issue("bot", dns=["bot.example"])))
    async with answering(tls) as end:
        output = await openssl(end, authority, *options)
        assert end.endpoint.streams.stats.handshakes_failed == 1
    assert "SIP/2.0" not in output


async def test_openssl_shows_a_certificate_where_one_is_required(authority: Authority) -> None:
    tls = TlsContexts(authority.config(authority.issue("bot", dns=["bot.example"]), "required"))
    issued = authority.issue("trunk", dns=["trunk.example"])
    async with answering(tls) as end:
        assert "SIP/2.0" not in await openssl(end, authority)
        pair = ("-cert", str(issued.certificate), "-key", str(issued.private_key))
        assert "SIP/2.0 200 OK" in await openssl(end, authority, *pair)
        stats = end.endpoint.streams.stats
        assert (stats.handshakes, stats.handshakes_failed) == (1, 1)


async def test_openssl_sees_the_renewed_certificate(authority: Authority) -> None:
    tls = TlsContexts(authority.config(authority.issue("bot", dns=["old.example"])))
    async with answering(tls) as end:
        assert "ostname mismatch" in await openssl(end, authority)
        authority.issue("bot", dns=["bot.example"])
        tls.reload()
        assert "SIP/2.0 200 OK" in await openssl(end, authority)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_sipsak_asks(transport: str) -> None:
    async with answering() as end:
        output = await run(
            *("sipsak", "-vv", "-E", transport, "-s", f"sip:bot@127.0.0.1:{end.port}"),
            until="SIP/2.0 200 OK",
        )
    assert "SIP/2.0 200 OK" in output


@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_sipp_calls_over_ipv6(tmp_path: Path, transport: str) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    async with answering(host="::1") as end:
        arguments = [
            *(require_program("sipp"), "-sn", "uac", "-i", "::1", "-mi", "::1"),
            *("-mp", str(free_ports(4)), "-t", transport, "-m", "10", "-r", "20", "-d", "100"),
            *("-timeout", "60", "-timeout_error", "-nostdin", f"[::1]:{end.port}"),
        ]
        async with peer_process(arguments, tmp_path, tmp_path / "sipp.log") as process:
            assert await process.wait() == 0, (tmp_path / "sipp.log").read_text()
        assert end.count(LegConfirmed) == 10
        await eventually(lambda: end.count(LegEnded) == 10)
        assert end.core.stats.malformed == {}


_BARESIP = """\
poll_method epoll
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
sip_certificate {certificate}
sip_cafile {ca}
sip_verify_server yes
call_local_timeout 20
audio_source ausine,400
audio_player aufile,{directory}/heard.wav
module_path /usr/lib/baresip/modules
module g711.so
module ausine.so
module aufile.so
module_tmp account.so
module_app menu.so
"""


async def test_baresip_calls_over_tls(authority: Authority, tmp_path: Path) -> None:
    """Mutual TLS: baresip checks our name, we know the caller by its certificate."""
    bot = authority.issue("bot", dns=["localhost"], addresses=["127.0.0.1"])
    phone = authority.issue("phone", uris=["sip:phone.example"])
    both = tmp_path / "phone-with-key.pem"
    both.write_bytes(phone.private_key.read_bytes() + phone.certificate.read_bytes())
    directory = tmp_path / "baresip"
    directory.mkdir()
    port = free_ports(4)
    config = _BARESIP.format(port=port, certificate=both, ca=authority.path, directory=directory)
    (directory / "config").write_text(config)
    account = f"<sip:phone@127.0.0.1:{port};transport=tls>;regint=0\n"
    (directory / "accounts").write_text(account)
    (directory / "contacts").write_text("")
    tls = TlsContexts(authority.config(bot, "required"))
    async with answering(tls) as end:
        arguments = [
            *(require_program("baresip"), "-f", str(directory)),
            *("-e", f"/dial sip:bot@127.0.0.1:{end.tls_port};transport=tls"),
        ]
        log = directory / "baresip.log"
        async with peer_process(arguments, directory, log) as process:
            await eventually(lambda: end.count(LegConfirmed) or process.returncode is not None)
            assert end.count(LegConfirmed) == 1, log.read_text(errors="replace")
            invite = next(event for event in end.events if isinstance(event, InviteReceived))
            assert invite.flow.transport == "tls"
            assert invite.flow.peer_names == ("phone.example",)
            # It hangs up before it goes.
            process.terminate()
            await eventually(lambda: end.count(LegEnded))
            await process.wait()


async def test_kamailio_is_called_over_mutual_tls(authority: Authority, tmp_path: Path) -> None:
    """It knows us by our certificate, we it by its name; it answers our pings (RFC 5626)."""
    proxy = authority.issue("proxy", dns=["proxy.example"])
    bot = TlsContexts(authority.config(authority.issue("bot", dns=["bot.example"])))
    port = free_ports(2)
    definitions = {
        "PORT": port,
        "TLS_PORT": port + 1,
        "CERTIFICATE": text(proxy.certificate),
        "PRIVATE_KEY": text(proxy.private_key),
        "CA": text(authority.path),
    }
    configuration = FIXTURES / "mutual_tls.cfg"
    async with (
        kamailio(configuration, tmp_path / "kamailio", port, definitions),
        answering(bot) as end,
    ):
        await eventually(lambda: listens(port + 1))
        for name, status in (("other.example", 503), ("proxy.example", 486)):
            flow = end.endpoint.flow_to(("127.0.0.1", port + 1), "tls", name)
            uri = f"sips:100@{name}"
            end.core.invite(uri, "sips:bot@bot.example", b"v=0\r\n", flow, end.endpoint.clock())
            end.endpoint.flush()
            await eventually(lambda: end.count(CallFailed))
            failed = end.events.pop()
            assert isinstance(failed, CallFailed)
            assert failed.status == status
        stats = end.endpoint.streams.stats
        assert (stats.handshakes, stats.handshakes_failed) == (1, 1)
        await eventually(lambda: stats.pings >= 2)
        assert stats.pongs_missing == 0
        assert end.endpoint.streams.connections == 1
