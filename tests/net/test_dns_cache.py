from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from telephony.net.dns_cache import DnsCache, DnsLimits, DnsSilent
from tests.support.dns_server import DnsServer, dns_server
from tests.support.eventually import eventually

_LIMITS = DnsLimits(
    timeout_s=1.0,
    lifetime_s=2.0,
    stale_wait_s=0.5,
    retry_s=15,
    min_ttl_s=5,
    max_ttl_s=600,
    max_negative_ttl_s=100,
    max_stale_s=1000,
    max_entries=8,
    max_questions=4,
    max_waiting=6,
)


class Cached:
    """A cache on a clock that the test moves."""

    def __init__(self, server: DnsServer) -> None:
        self.now = 100.0
        self.server = server
        self.cache = DnsCache(lambda: self.now, [server.address], _LIMITS)

    async def lookup(self, name: str = "a.test", kind: str = "A") -> list[str]:
        return [record.to_text() for record in await self.cache.lookup(name, kind)]


@pytest.fixture
async def cached() -> AsyncIterator[Cached]:
    async with dns_server() as server:
        made = Cached(server)
        yield made
        await made.cache.close()


@pytest.mark.parametrize(("ttl_s", "kept_s"), [(60, 60), (1, 5), (0, 5), (86_400, 600)])
async def test_an_answer_is_kept_for_its_ttl(cached: Cached, ttl_s: int, kept_s: int) -> None:
    cached.server.add("a.test", "A", "192.0.2.1", ttl_s=ttl_s)
    assert await cached.lookup() == ["192.0.2.1"]
    cached.server.add("a.test", "A", "192.0.2.2")
    cached.now += kept_s - 0.5
    assert await cached.lookup("A.test.") == ["192.0.2.1"]
    cached.now += 1
    assert await cached.lookup() == ["192.0.2.2"]
    assert cached.server.questions == 2
    assert cached.cache.stats.hits == 1


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("ttl_s", "kept_s"), [(60, 60), (1, 5), (86_400, 100)])
async def test_that_there_is_nothing_is_kept_too(
    cached: Cached, known: bool, ttl_s: int, kept_s: int
) -> None:
    cached.server.negative_ttl_s = ttl_s
    if known:
        cached.server.add("a.test", "AAAA", "2001:db8::1")
    assert await cached.lookup() == []
    cached.server.add("a.test", "A", "192.0.2.2")
    cached.now += kept_s - 0.5
    assert await cached.lookup() == []
    cached.now += 1
    assert await cached.lookup() == ["192.0.2.2"]


async def test_old_answers_are_served_while_the_server_is_silent(cached: Cached) -> None:
    cached.server.add("a.test", "A", "192.0.2.1", ttl_s=60)
    await cached.lookup()
    cached.server.silent = True
    cached.now += 61
    assert await cached.lookup() == ["192.0.2.1"]
    await eventually(lambda: not cached.cache._asking)
    asked = cached.server.questions
    # The failure is remembered: nobody waits for the next answer.
    assert await cached.lookup() == ["192.0.2.1"]
    assert cached.server.questions == asked
    cached.server.silent = False
    cached.server.add("a.test", "A", "192.0.2.2")
    cached.now += 16
    assert await cached.lookup() == ["192.0.2.2"]
    assert cached.cache.stats.stale == 2


async def test_a_slow_server_is_not_waited_for_when_there_is_an_old_answer(cached: Cached) -> None:
    cached.server.add("a.test", "A", "192.0.2.1", ttl_s=60)
    await cached.lookup()
    cached.server.add("a.test", "A", "192.0.2.2", ttl_s=60)
    cached.server.hold.clear()
    cached.now += 61
    assert await cached.lookup() == ["192.0.2.1"]
    cached.server.hold.set()
    await eventually(lambda: not cached.cache._asking)
    assert await cached.lookup() == ["192.0.2.2"]


async def test_an_answer_is_not_served_for_ever(cached: Cached) -> None:
    cached.server.add("a.test", "A", "192.0.2.1", ttl_s=60)
    await cached.lookup()
    cached.server.broken = True
    cached.now += 60 + 1001
    with pytest.raises(DnsSilent):
        await cached.lookup()


async def test_a_failure_is_remembered_for_a_moment(cached: Cached) -> None:
    cached.server.broken = True
    with pytest.raises(DnsSilent):
        await cached.lookup()
    asked = cached.server.questions
    with pytest.raises(DnsSilent):
        await cached.lookup()
    assert cached.server.questions == asked
    cached.server.broken = False
    cached.server.add("a.test", "A", "192.0.2.1")
    cached.now += 5.1
    assert await cached.lookup() == ["192.0.2.1"]


async def test_one_question_for_all_who_ask(cached: Cached) -> None:
    cached.server.add("a.test", "A", "192.0.2.1")
    cached.server.hold.clear()
    asking = [asyncio.create_task(cached.lookup()) for _ in range(20)]
    await eventually(lambda: cached.server.questions)
    asking[0].cancel()
    cached.server.hold.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [["192.0.2.1"]] * 19
    assert cached.server.questions == 1


async def test_few_questions_at_once_and_few_that_wait(cached: Cached) -> None:
    for n in range(6):
        cached.server.add(f"{n}.test", "A", "192.0.2.1")
    cached.server.hold.clear()
    asking = [asyncio.create_task(cached.lookup(f"{n}.test")) for n in range(6)]
    await eventually(lambda: cached.server.questions == 4)
    with pytest.raises(DnsSilent, match="too many"):
        await cached.lookup("7.test")
    cached.server.hold.set()
    assert await asyncio.gather(*asking) == [["192.0.2.1"]] * 6
    assert cached.server.most_at_once == 4
    assert cached.cache.stats.overloaded == 1


async def test_the_table_is_bounded(cached: Cached) -> None:
    for n in range(30):
        await cached.lookup(f"{n}.test")
    cached.server.broken = True
    for n in range(30, 40):
        with pytest.raises(DnsSilent):
            await cached.lookup(f"{n}.test")
    assert len(cached.cache._entries) == 8
    assert len(cached.cache._silent_until) == 8


async def test_closing_gives_up_what_is_asked(cached: Cached) -> None:
    cached.server.hold.clear()
    asking = asyncio.create_task(cached.lookup())
    await eventually(lambda: cached.server.questions)
    await cached.cache.close()
    with pytest.raises(DnsSilent, match="closed"):
        await asking


async def test_the_loop_is_not_blocked_meanwhile(cached: Cached) -> None:
    cached.server.silent = True
    turns = 0
    asking = asyncio.create_task(cached.lookup())
    while not asking.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100
    with pytest.raises(DnsSilent):
        asking.result()
