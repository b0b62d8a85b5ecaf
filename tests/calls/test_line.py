from __future__ import annotations

from telephony.audio.format import PCMU
from telephony.calls.line import Line
from tests.support.fake_recorder import FakeRecorder

CALLER = b"\x01" * 160
BOT = b"\x02" * 160


class Partner:
    def __init__(self, says: bytes | None = None) -> None:
        self.heard: list[bytes] = []
        self.says = says
        self.error: Exception | None = None

    def hear(self, frame: bytes, now: float) -> None:
        if self.error is not None:
            raise self.error
        self.heard.append(frame)

    def speak(self, now: float) -> bytes | None:
        if self.error is not None:
            raise self.error
        return self.says


def failing(errors: list[Exception]) -> Line:
    return Line(PCMU, 20, on_error=errors.append)


def test_frames_pass_both_ways_while_a_partner_is_connected() -> None:
    line, partner = failing([]), Partner(BOT)
    line.hear(CALLER, 0.0)
    assert line.speak(0.0) is None
    line.connect(partner)
    line.hear(CALLER, 0.02)
    assert line.speak(0.02) == BOT
    assert partner.heard == [CALLER]
    line.connect(None)
    assert line.speak(0.04) is None


def test_a_prompt_speaks_first_and_is_reported_after_its_last_frame() -> None:
    line, partner = failing([]), Partner(BOT)
    line.connect(partner)
    played: list[str] = []
    line.play(b"\x03" * 200, lambda: played.append("one"))
    line.play(b"\x04" * 160, lambda: played.append("two"))
    assert line.speak(0.0) == b"\x03" * 160
    assert played == []
    assert line.speak(0.02) == b"\x03" * 40 + b"\x04" * 120
    assert played == ["one"]
    assert line.speak(0.04) == b"\x04" * 40 + b"\xff" * 120
    assert played == ["one", "two"]
    assert line.speak(0.06) == BOT


def test_an_empty_prompt_is_played_at_once() -> None:
    line, played = failing([]), []
    line.play(b"", lambda: played.append(True))
    line.speak(0.0)
    assert played == [True]


def test_the_recording_has_every_ptime_of_both_sides() -> None:
    recording, partner = FakeRecorder(), Partner(BOT)
    line = Line(PCMU, 20, recording, on_error=[].append)
    line.connect(partner)
    line.hear(CALLER, 0.0)
    line.speak(0.0)
    # A stall of three slots is made up for; then the leg may not send for a while.
    for _ in range(4):
        line.hear(CALLER, 0.08)
    line.speak(0.08)
    assert recording.pushed == [(CALLER, BOT), *[(CALLER, None)] * 3, (CALLER, BOT)]


def test_what_raises_ends_the_call_once() -> None:
    errors: list[Exception] = []
    line, partner = failing(errors), Partner(BOT)
    partner.error = RuntimeError("a fault of ours")
    line.connect(partner)
    line.hear(CALLER, 0.0)
    assert line.speak(0.0) is None
    line.hear(CALLER, 0.02)
    assert errors == [partner.error]


def test_a_recorder_that_raises_ends_the_call() -> None:
    class Broken:
        def push(self, caller_frame: bytes | None, bot_frame: bytes | None) -> None:
            raise OSError("disk full")

    errors: list[Exception] = []
    line = Line(PCMU, 20, Broken(), on_error=errors.append)
    line.hear(CALLER, 0.0)
    line.speak(0.0)
    line.speak(0.02)
    assert len(errors) == 1


class Filler:
    def next_frame(self) -> bytes:
        return b"\x05" * 160


def test_a_filler_is_heard_where_nobody_speaks_and_recorded() -> None:
    recording, partner = FakeRecorder(), Partner()
    line = Line(PCMU, 20, recording, on_error=[].append)
    line.connect(partner)
    line.fill_with(Filler())
    assert line.filled
    assert line.speak(0.0) == b"\x05" * 160
    partner.says = BOT
    assert line.speak(0.02) == BOT
    line.play(b"\x03" * 160, lambda: None)
    assert line.speak(0.04) == b"\x03" * 160
    line.fill_with(None)
    partner.says = None
    assert line.speak(0.06) is None
    assert [bot for _, bot in recording.pushed] == [b"\x05" * 160, BOT, b"\x03" * 160, None]


def test_a_recorder_may_come_and_go() -> None:
    recording = FakeRecorder()
    line = failing([])
    line.hear(CALLER, 0.0)
    line.speak(0.0)
    line.record_with(recording)
    line.hear(CALLER, 0.02)
    line.speak(0.02)
    line.record_with(None)
    line.hear(CALLER, 0.04)
    line.speak(0.04)
    assert recording.pushed == [(CALLER, None)]
