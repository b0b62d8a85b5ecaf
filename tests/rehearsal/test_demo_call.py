from __future__ import annotations

from telephony.rehearsal.demo_call import DemoOutcome, converse
from telephony.rehearsal.phone import telephone
from tests.support.server import running_server


async def test_the_demo_asks_interrupts_and_says_goodbye() -> None:
    told: list[str] = []
    async with running_server() as server, telephone("127.0.0.1") as caller:
        assert server.sip_udp is not None
        await caller.dial(f"sip:bot@127.0.0.1:{server.sip_udp[1]}", "sip:a@127.0.0.1")
        outcome = await converse(caller, told.append)
        assert [text.split()[0] for text in told] == ["says", "interrupts:", "says"]
        assert caller.ended
        assert caller.record.ended_by == "remote"
        assert outcome.stopped_after_s is not None
        # The answer would go on for ten seconds more.
        assert outcome.stopped_after_s < 5


def test_without_an_interruption_there_is_nothing_to_measure() -> None:
    assert DemoOutcome().stopped_after_s is None
    assert DemoOutcome(interrupted_at=2.0).stopped_after_s is None
    assert DemoOutcome(interrupted_at=2.0, bot_silent_at=2.5).stopped_after_s == 0.5
