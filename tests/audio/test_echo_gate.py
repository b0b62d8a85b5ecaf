"""Bot and caller on lines with echo, in recorded speech: who is taken for whom, and when."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from telephony.audio.echo_gate import EchoGate
from telephony.audio.format import PCMU
from telephony.audio.vad import VadConfig, VoiceActivityDetector
from tests.support.echo_line import (
    FRAME,
    QUIET,
    EchoLine,
    Outcome,
    Path,
    hybrid,
    onset_frame,
    room,
)

Samples = npt.NDArray[np.float64]

TURNS = 12
LOUD = 10 ** (8 / 20)
"""The bot is 8 dB louder than the callers: -18 dBFS."""

HYBRID, ROOM = hybrid(), room()


@pytest.fixture(scope="module")
def bot_turns(speech_recordings: list[Samples]) -> list[Samples]:
    """What the bot says: 5 to 10 s each."""
    spoken = [s for s in speech_recordings if len(s) > 20_000][: 2 * TURNS]
    return [np.concatenate([a, b]) * LOUD for a, b in zip(spoken[::2], spoken[1::2], strict=True)]


@pytest.fixture(scope="module")
def callers(speech_recordings: list[Samples]) -> list[Samples]:
    return [s for s in speech_recordings if 8_000 < len(s) <= 20_000][:TURNS]


def talk(line: EchoLine, bot_turns: list[Samples], callers: list[Samples] | None) -> Outcome:
    outcome = Outcome()
    line.wait(0.5)
    for index, speech in enumerate(bot_turns):
        line.bot_says(speech, outcome, callers[index % len(callers)] if callers else None)
    return outcome


@pytest.mark.parametrize(
    ("response", "loss_db", "delay_ms", "noise_dbfs", "before_per_minute", "most_after"),
    [
        (HYBRID, 30, 40, -62, 10, 0),
        (HYBRID, 20, 20, -62, 60, 0),
        (HYBRID, 20, 120, -62, 60, 0),
        (HYBRID, 20, 120, -50, 60, 1),
        (HYBRID, 10, 60, -62, 60, 0),
        (HYBRID, 15, 300, -62, 60, 0),
        (HYBRID, 20, 450, -62, 60, 0),
        (ROOM, 20, 150, -62, 60, 0),
        (ROOM, 14, 250, -62, 60, 1),
    ],
)
def test_an_echo_does_not_interrupt_the_bot(
    response: Samples,
    loss_db: float,
    delay_ms: int,
    noise_dbfs: float,
    before_per_minute: float,
    most_after: int,
    bot_turns: list[Samples],
) -> None:
    path = Path(response, loss_db, delay_ms)
    bare = talk(EchoLine(path, gated=False, noise_dbfs=noise_dbfs), bot_turns, None)
    line = EchoLine(path, noise_dbfs=noise_dbfs)
    gated = talk(line, bot_turns, None)
    assert bare.false_per_minute >= before_per_minute
    assert gated.false_barge_ins <= most_after
    estimate = line.gate.estimate
    assert estimate is not None
    assert abs(estimate.return_loss_db - loss_db) <= 3
    # The next frame is the first that can be an echo.
    assert abs(estimate.delay_ms - 20 - delay_ms) <= 4


@pytest.mark.parametrize(
    ("path", "median_ms", "p90_ms", "missed"),
    [
        (None, 0, 0, 0),
        (Path(HYBRID, 30, 40), 20, 40, 0),
        (Path(HYBRID, 20, 120), 40, 120, 0),
        (Path(HYBRID, 20, 450), 40, 60, 0),
        (Path(HYBRID, 15, 300), 60, 200, 0),
        (Path(HYBRID, 10, 60), 200, 700, 1),
        (Path(ROOM, 20, 150), 40, 60, 0),
    ],
    ids=["none", "30dB-40ms", "20dB-120ms", "20dB-450ms", "15dB-300ms", "10dB-60ms", "room"],
)
def test_a_caller_interrupts_as_soon_as_without_echo(
    path: Path | None,
    median_ms: int,
    p90_ms: int,
    missed: int,
    bot_turns: list[Samples],
    callers: list[Samples],
) -> None:
    """The times are what is added to those of a line without echo and without the gate."""
    bare = talk(EchoLine(None, gated=False), bot_turns, callers)
    gated = talk(EchoLine(path), bot_turns, callers)
    assert (bare.false_barge_ins, bare.missed) == (0, 0)
    assert gated.false_barge_ins == 0
    assert gated.missed <= missed
    assert gated.detected_within_ms(50) <= bare.detected_within_ms(50) + median_ms
    assert gated.detected_within_ms(90) <= bare.detected_within_ms(90) + p90_ms


def test_without_echo_there_is_no_estimate(
    bot_turns: list[Samples], callers: list[Samples]
) -> None:
    line = EchoLine(None)
    talk(line, bot_turns, callers)
    assert line.gate.estimate is None
    assert line.gate.dismissed == 0


def test_an_echo_that_ends_is_no_longer_reckoned_with(bot_turns: list[Samples]) -> None:
    line = EchoLine(Path(HYBRID, 20, 120))
    talk(line, bot_turns[:3], None)
    estimate = line.gate.estimate
    line._path = None
    talk(line, bot_turns[3:], None)
    assert not line.gate._echo.known
    # What came back is still told of.
    assert line.gate.estimate == estimate


def test_another_delay_is_found_at_once(bot_turns: list[Samples]) -> None:
    line = EchoLine(Path(HYBRID, 20, 120))
    talk(line, bot_turns[:3], None)
    line._path = Path(HYBRID, 12, 260)
    assert talk(line, bot_turns[3:6], None).false_barge_ins == 0
    estimate = line.gate.estimate
    assert estimate is not None
    assert abs(estimate.delay_ms - 280) <= 4


@pytest.mark.parametrize("ptime_ms", [10, 20, 30])
def test_silence_both_ways_costs_no_search(ptime_ms: int) -> None:
    gate = EchoGate(VoiceActivityDetector(VadConfig(frame_ms=ptime_ms)), PCMU, ptime_ms)
    for _ in range(200):
        gate.sent(b"\x10" * 8 * ptime_ms)
        assert gate.process(bytes(16 * ptime_ms)) is None
    assert gate._echo.stats.searches == 0


def test_the_caller_is_heard_over_the_bot_and_the_bot_is_not(
    bot_turns: list[Samples], callers: list[Samples]
) -> None:
    """Told frame by frame, in double talk."""
    line = EchoLine(Path(HYBRID, 20, 120))
    talk(line, bot_turns[:2], None)
    line.wait(1.0)
    bot, caller = bot_turns[2], callers[0]
    silent, begins = 100, onset_frame(caller)
    assert len(bot) > len(caller) + (silent + 50) * FRAME
    heard: list[bool] = []
    for index in range(len(bot) // FRAME):
        said = caller[(index - silent) * FRAME :][:FRAME] if index >= silent else QUIET
        line.tick(said if len(said) == FRAME else QUIET, bot[index * FRAME :][:FRAME])
        heard.append(line.gate.hears_caller)
    assert not any(heard[: silent + begins])
    assert any(heard[silent + begins :][:20])
    # A pause of a tenth of a second, and the caller is not heard any more.
    assert not any(heard[silent + len(caller) // FRAME + 10 :])
