"""What those behind hear while the bot speaks, in audio time."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_16K, PCMU, AudioFormat
from telephony.realtime.cascade.echo_hold import HELD_MS, EchoHold

ECHO_MS = 500
FRAME_MS = 20


class Line:
    """Twenty ms at a time, each of another sound; frame ``n`` is the n-th that was heard."""

    def __init__(self, audio_format: AudioFormat = PCMU) -> None:
        self.audio_format = audio_format
        self.bot = False
        self.caller = False
        self.turn_open = False
        self.hold = EchoHold(audio_format, lambda: ("i", 0.0) if self.bot else None, self.hears)
        self.silence = audio_format.silence(audio_format.frame_bytes(FRAME_MS))
        self.heard: list[bytes] = []
        self.passed = b""

    def hears(self) -> bool:
        return self.caller

    def hear(self, ms: int) -> list[bytes]:
        """Let ``ms`` pass; returns the frames that were heard."""
        frames = []
        for _ in range(ms // FRAME_MS):
            frame = bytes([1 + len(self.heard) % 250]) * len(self.silence)
            self.heard.append(frame)
            frames.append(frame)
            self.passed += self.hold.pass_on(frame, turn_open=self.turn_open)
        return frames

    def take(self) -> list[bytes]:
        """Return and forget what was passed on."""
        size = len(self.silence)
        passed, self.passed = self.passed, b""
        assert len(passed) % size == 0
        return [passed[at : at + size] for at in range(0, len(passed), size)]

    def muted(self, ms: int) -> list[bytes]:
        return [self.silence] * (ms // FRAME_MS)


@pytest.fixture(params=[PCMU, L16_16K], ids=["PCMU", "L16"])
def line(request: pytest.FixtureRequest) -> Line:
    return Line(request.param)


def test_all_is_passed_on_while_the_bot_is_silent(line: Line) -> None:
    heard = line.hear(1000)
    assert line.take() == heard
    assert not line.hold.engaged


def test_what_comes_while_the_bot_speaks_is_silence_a_little_later(line: Line) -> None:
    line.bot = True
    line.hear(HELD_MS)
    assert line.take() == []
    assert line.hold.engaged
    line.hear(600)
    assert line.take() == line.muted(600)


def test_the_caller_is_heard_from_before_they_were_recognised(line: Line) -> None:
    line.bot = True
    line.hear(1000)
    line.take()
    held = line.heard[-HELD_MS // FRAME_MS :]
    line.caller = True
    assert held + line.hear(200) == line.take()
    assert not line.hold.engaged


def test_nothing_is_left_out_and_nothing_added(line: Line) -> None:
    for bot, caller, ms in [(1, 0, 900), (1, 1, 300), (1, 0, 700), (0, 0, 300), (0, 1, 200)]:
        line.bot, line.caller = bool(bot), bool(caller)
        line.hear(ms)
    line.caller = False
    line.hear(ECHO_MS + HELD_MS)
    passed = line.take()
    assert len(passed) == len(line.heard)
    assert all(p in (h, line.silence) for p, h in zip(passed, line.heard, strict=True))


def test_the_pause_of_a_caller_over_the_bot_is_no_loss(line: Line) -> None:
    line.bot = line.caller = True
    line.hear(300)
    line.caller = False
    line.hear(300)
    line.caller = True
    line.hear(300)
    assert line.take() == line.heard


def test_an_echo_outlasts_what_was_played(line: Line) -> None:
    line.bot = True
    line.hear(1000)
    line.bot = False
    line.hear(ECHO_MS)
    after = line.hear(HELD_MS)
    now = line.hear(200)
    assert line.take() == line.muted(1000 + ECHO_MS) + after + now
    assert not line.hold.engaged


def test_who_has_the_word_keeps_it_when_the_bot_falls_silent(line: Line) -> None:
    line.bot = line.caller = line.turn_open = True
    line.hear(400)
    line.bot = line.caller = False
    line.hear(1200)
    passed = line.take()
    assert len(passed) == len(line.heard)
    assert passed[:20] == line.heard[:20]
    # The bot is not silent at once: the next piece may follow.
    assert sum(frame == line.silence for frame in passed) <= 5
    assert passed[25:] == line.heard[25:]


def test_between_two_pieces_the_bot_is_not_silent(line: Line) -> None:
    line.turn_open = True
    for _ in range(5):
        line.bot = True
        line.hear(200)
        line.bot = False
        line.hear(60)
    assert line.take() == line.muted(5 * 260 - HELD_MS)


def test_other_audio_is_a_new_beginning(line: Line) -> None:
    line.bot = True
    line.hear(300)
    line.bot = False
    line.hold.reset()
    heard = line.hear(100)
    assert line.take() == heard


def test_a_voice_that_was_never_held_costs_nothing(line: Line) -> None:
    line.caller = True
    line.hear(300)
    line.bot = True
    line.hear(300)
    assert line.take() == line.heard
