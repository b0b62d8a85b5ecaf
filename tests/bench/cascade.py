"""Where the time goes between the caller's last word and the bot's first, in a cascade.

    python -m tests.bench.cascade [TURNS]

Whole calls over SIP and RTP in this process. The three services take the time that hosted ones
are said to take: 150 ms to the last word, 400 ms to the first token and 12 ms for each word, 120 ms
to the first audio.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

import structlog

from telephony.rehearsal.scenario import parse_scenario
from telephony.rehearsal.speech.synthesizer import RehearsalSynthesizerService
from telephony.rehearsal.speech.transcriber import RehearsalTranscriberService
from tests.support.cascades import cascade_phones
from tests.support.eventually import eventually
from tests.support.scenes import PATIENCE_S, speech

SCENARIO = """\
name: bench
pace: {delta_ms: 24, speed: 2.0, first_delta_ms: 400}
turns:
  - {when: any, say: [opening_hours, weekend_hours]}
"""
FIXED = {"likely_ms": 800, "complete_ms": 800, "silence_ms": 800, "unfinished_ms": 800}
RUNS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("fixed silence of 800 ms, one step after the other", FIXED | {"speculative": False}),
    ("silence by what was said, one step after the other", {"speculative": False}),
    ("silence by what was said, answer prepared", {}),
    ("the same, and its speech", {"speculative_speech": True}),
)


async def measure(end_of_turn: Mapping[str, Any], turns: int) -> list[float]:
    stt = RehearsalTranscriberService(delay_ms=150)
    tts = RehearsalSynthesizerService(first_ms=120)
    scenario = parse_scenario(SCENARIO, "bench")
    session = {"end_of_turn": end_of_turn}
    async with cascade_phones(scenario, session=session, stt=stt, tts=tts, greeting=None) as c:
        caller = await c.phones.dial()
        for _ in range(turns):
            await caller.say(speech("caller_yes"))
            assert await caller.wait_until_bot_speaks(PATIENCE_S)
            await asyncio.sleep(0.5)
            c.core.cancel_response()
            await caller.wait_until_bot_silent(0.3, PATIENCE_S)
        await caller.hang_up()
        await eventually(lambda: c.phones.reception.active_calls == 0)
        return [latency.total_s for latency in c.phones.watcher.latencies]


def cpu_of_core(seconds: float = 60.0) -> float:
    """Return the share of a core that listening to one silent caller takes."""
    from telephony.audio.format import PCMU
    from tests.realtime.cascade.driver import Driver

    driver = Driver()
    frame = PCMU.silence(PCMU.frame_bytes(60))
    count = int(seconds / 0.06)
    begun = time.process_time()
    for _ in range(count):
        driver.core.append_message(frame)
    return (time.process_time() - begun) / seconds


def main() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("from the caller's last voice to our first packet, ms: median (least, most)")
    for name, end_of_turn in RUNS:
        found = [1000 * total_s for total_s in asyncio.run(measure(end_of_turn, turns))]
        print(
            f"{statistics.median(found):6.0f} ({min(found):.0f}, {max(found):.0f})"
            f"  {name} ({len(found)} turns)"
        )
    print(f"detector and end of turn: {100 * cpu_of_core():.3f} % of a core per call")


if __name__ == "__main__":
    main()
