from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.support.sipp import SCENARIOS, SippRun, run_sipp
from tests.system.bot import Bot, running_bot
from tests.system.rtp_peer import RtpPeer, rtp_peer


class Callee(Protocol):
    """Whom SIPp calls: the bot, or what stands in front of it."""

    @property
    def sip(self) -> tuple[str, int]: ...


RunScenario = Callable[..., Coroutine[None, None, SippRun]]


@pytest.fixture(scope="session")
def deaf_server() -> Iterator[str]:
    """The URL of a model that takes the connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


@pytest.fixture(scope="session")
def agents(deaf_server: str) -> dict[str, dict[str, Any]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    unreachable = f"http://127.0.0.1:{port}/v1"
    return {"deaf": {"base_url": deaf_server}, "unreachable": {"base_url": unreachable}}


@pytest.fixture(scope="session")
def shared_bot(
    tmp_path_factory: pytest.TempPathFactory, agents: dict[str, dict[str, Any]]
) -> Iterator[Bot]:
    with running_bot(tmp_path_factory.mktemp("bot"), agents=agents) as bot:
        yield bot


@pytest.fixture
async def bot(shared_bot: Bot) -> AsyncIterator[Bot]:
    """The bot most tests share; its log begins with the test, and must be clean at its end."""
    shared_bot.forget_log()
    yield shared_bot
    await shared_bot.idle()
    shared_bot.assert_log_clean()


@pytest.fixture(scope="session")
def shared_hasty_bot(
    tmp_path_factory: pytest.TempPathFactory, agents: dict[str, dict[str, Any]]
) -> Iterator[Bot]:
    settings = {
        "sip": {"t1_ms": 40, "t2_ms": 320, "t4_ms": 400},
        "limits": {"max_calls": 1, "retry_after_s": 7, "setup_timeout_s": 4},
    }
    with running_bot(tmp_path_factory.mktemp("hasty"), settings, agents=agents) as bot:
        yield bot


@pytest.fixture
async def hasty_bot(shared_hasty_bot: Bot) -> AsyncIterator[Bot]:
    """A bot with short SIP timers that takes one call at a time."""
    shared_hasty_bot.forget_log()
    yield shared_hasty_bot
    await shared_hasty_bot.idle()
    shared_hasty_bot.assert_log_clean()


@pytest.fixture
async def rtp() -> AsyncIterator[RtpPeer]:
    """The media end of the test's SIPp."""
    async with rtp_peer() as peer:
        yield peer


@pytest.fixture
def sipp(tmp_path: Path, rtp: RtpPeer) -> RunScenario:
    """Run a scenario of ``fixtures/sipp`` to the end; the test fails unless SIPp succeeds."""

    numbers = count(1)

    async def run(name: str, to: Callee, *, pause_ms: int = 500, **options: Any) -> SippRun:
        directory = tmp_path / f"{name}-{next(numbers)}"
        directory.mkdir()
        options["extra"] = ("-d", str(pause_ms), *options.get("extra", ()))
        keys = {"rtp_port": str(rtp.port), **options.pop("keys", {})}
        scenario = SCENARIOS / f"{name}.xml"
        result = await run_sipp(scenario, to.sip, directory, keys=keys, **options)
        assert result.succeeded, str(result)
        return result

    return run
