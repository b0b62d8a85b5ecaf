from __future__ import annotations

import socket

import pytest

from telephony.audio.codecs import is_available
from telephony.audio.format import L16_8K, Codec
from telephony.rehearsal.caller import CallFailed
from telephony.rehearsal.network import Network, shipped_profile
from telephony.rehearsal.phone import telephone
from tests.support.server import running_server, settings


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_that_nobody_takes_fails_before_it_is_given_up(transport: str) -> None:
    """The network says that nobody listens: no status, and not the time-out of the call."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    async with telephone("127.0.0.1") as caller:
        with pytest.raises(CallFailed) as failure:
            await caller.dial(
                f"sip:bot@127.0.0.1:{port};transport={transport}", "sip:alice@127.0.0.1"
            )
    assert (failure.value.status, str(failure.value)) == (0, "connection refused")


async def test_a_foreign_address_is_refused() -> None:
    with pytest.raises(OSError, match="assign"):
        async with telephone("192.0.2.1"):
            pass


async def test_the_trace_sees_both_directions() -> None:
    seen: list[str] = []
    async with (
        running_server() as server,
        telephone("127.0.0.1", trace=lambda way, data, flow, now: seen.append(way)) as caller,
    ):
        assert server.sip_udp is not None
        await caller.dial(f"sip:x@127.0.0.1:{server.sip_udp[1]}", "sip:a@127.0.0.1")
    assert {"sent", "received"} == set(seen)


async def test_a_call_is_hung_up_until_the_other_end_says_so() -> None:
    """A BYE may be lost: who leaves before it is answered leaves a call behind."""
    seen: list[tuple[str, bytes]] = []
    async with (
        running_server() as server,
        telephone(
            "127.0.0.1", trace=lambda way, data, flow, now: seen.append((way, data))
        ) as caller,
    ):
        assert server.sip_udp is not None
        await caller.dial(f"sip:x@127.0.0.1:{server.sip_udp[1]}", "sip:a@127.0.0.1")
    way, last = seen[-1]
    assert (way, last.partition(b"\r\n")[0]) == ("received", b"SIP/2.0 200 OK")
    assert b"BYE" in last


@pytest.mark.parametrize("codec", ["pcma", "g722", "opus"])
async def test_a_call_in_another_codec_is_heard(codec: Codec) -> None:
    if not is_available(codec):
        pytest.skip(f"the library of {codec} is not installed")
    wide = settings(media={"codecs": [codec]})
    async with running_server(wide) as server, telephone("127.0.0.1", codecs=(codec,)) as caller:
        assert server.sip_udp is not None
        await caller.dial(f"sip:x@127.0.0.1:{server.sip_udp[1]}", "sip:a@127.0.0.1")
        assert await caller.wait_until_bot_speaks(60)
        await caller.wait_until_bot_silent(0.5, 60)
        await caller.say(b"\0" * L16_8K.frame_bytes(20))
    # The greeting, at the 8 kHz that the caller hears at.
    spurts = sum(spurt.ended_at - spurt.started_at for spurt in caller.record.talkspurts)
    assert spurts > 1.0
    heard_s = len(caller.record.heard) / L16_8K.bytes_per_second
    assert abs(heard_s - len(caller.record.said) / L16_8K.bytes_per_second) < 0.1
    assert heard_s > spurts


async def test_a_call_through_a_network() -> None:
    network = Network(shipped_profile("bursty-loss"), 1)
    async with running_server() as server, telephone("127.0.0.1", network=network) as caller:
        assert server.sip_udp is not None
        await caller.dial(f"sip:x@127.0.0.1:{server.sip_udp[1]}", "sip:a@127.0.0.1")
        assert await caller.wait_until_bot_speaks(60)
        await caller.wait_until_bot_silent(0.5, 60)
        heard = caller.media_stats()
    for path in (network.outbound, network.inbound):
        assert path.stats.lost_in_burst > 0
        assert path.stats.left > 50
    assert heard.packets_received <= network.inbound.stats.left
    assert heard.concealed_ms > 0


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_bracketed_address_is_called(transport: str) -> None:
    wanted = settings(sip={"host": "::1"})
    async with running_server(wanted) as server, telephone("::1") as caller:
        bound = server.sip_udp if transport == "udp" else server.sip_tcp
        assert bound is not None
        uri = f"sip:x@[::1]:{bound[1]};transport={transport}"
        await caller.dial(uri, "sip:a@localhost", timeout_s=60.0)
        assert await caller.wait_until_bot_speaks(60)
