from __future__ import annotations

import asyncio

import pytest

from telephony.base.ids import Ids
from telephony.sip.flow import Flow
from telephony.stacks.trunk import KeepalivePolicy, Trunk
from telephony.stacks.trunks.keepalive import Keepalive
from telephony.stacks.trunks.reaching import Answer, Asker, Question
from telephony.stacks.trunks.status import TrunkStatus

POLICY = KeepalivePolicy(options_interval_s=0.001, down_after=2, up_after=1)


class FakeAsker(Asker):
    """Answers with a status per server; runs out of breath after ``limit`` questions."""

    def __init__(self, **statuses: list[int]) -> None:
        self.statuses = statuses
        self.asked: list[Question] = []

    async def ask(self, hop: str, question: Question, timeout_s: float) -> Answer:
        self.asked.append(question)
        left = self.statuses[hop.removeprefix("sip:")]
        return Answer(left.pop(0) if len(left) > 1 else left[0], "")


def keepalive(trunk: Trunk, asker: Asker) -> tuple[Keepalive, TrunkStatus, list[tuple[str, bool]]]:
    changes: list[tuple[str, bool]] = []
    status = TrunkStatus.of(trunk)
    keepalive = Keepalive(
        trunk, status, asker, Ids.seeded(1), lambda trunk, server, up: changes.append((server, up))
    )
    return keepalive, status, changes


async def test_each_server_is_asked_and_its_changes_told() -> None:
    trunk = Trunk("t", ("sip:a", "sip:b"), username="bot", domain="example.com", keepalive=POLICY)
    asker = FakeAsker(a=[408, 408, 405], b=[200])
    watcher, status, changes = keepalive(trunk, asker)
    await watcher.ask_once(POLICY)
    assert status.up
    assert not changes
    await watcher.ask_once(POLICY)
    assert (status.is_server_up("sip:a"), status.is_server_up("sip:b")) == (False, True)
    await watcher.ask_once(POLICY)
    assert changes == [("sip:a", False), ("sip:a", True)]
    assert status.servers["sip:a"].last_status == 405
    question = asker.asked[0]
    assert (question.method, question.uri) == ("OPTIONS", "sip:example.com")
    assert question.from_uri == question.to_uri == "sip:bot@example.com"
    flow = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.2", 5060))
    assert question.headers(flow) == [("Accept", "application/sdp")]


async def test_it_goes_on_until_it_is_cancelled() -> None:
    asker = FakeAsker(a=[200])
    watcher, _, _ = keepalive(Trunk("t", ("sip:a",), keepalive=POLICY), asker)
    task = asyncio.create_task(watcher.run())
    async with asyncio.timeout(60):
        while len(asker.asked) < 3:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_trunk_without_keepalive_is_not_asked() -> None:
    asker = FakeAsker()
    watcher, status, _ = keepalive(Trunk("t", ("sip:a",), keepalive=None), asker)
    await watcher.run()
    assert not asker.asked
    assert status.up
