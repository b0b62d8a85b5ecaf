from __future__ import annotations

from telephony.rtp.playout import Heard, Playout

FRAME = 160


def playout(**options: int) -> Playout:
    return Playout(bytes_per_ms=8, ptime_ms=20, silence_byte=0xFF, **options)


def test_frames_are_cut_from_long_audio() -> None:
    queue = playout()
    queue.write("a", bytes(range(200)) + bytes(range(120)))
    assert queue.next_frame() == bytes(range(160))
    assert queue.next_frame() == bytes(range(160, 200)) + bytes(range(120))
    assert queue.next_frame() is None


def test_frames_are_gathered_from_short_audio() -> None:
    queue = playout()
    for letter in b"abcd":
        queue.write("x", bytes([letter]) * 40)
    assert queue.next_frame() == b"a" * 40 + b"b" * 40 + b"c" * 40 + b"d" * 40


def test_less_than_a_frame_waits_for_more() -> None:
    queue = playout()
    queue.write("a", b"x" * 100)
    assert queue.next_frame() is None
    assert queue.queued_ms == 12.5
    queue.write("a", b"y" * 60)
    assert queue.next_frame() == b"x" * 100 + b"y" * 60


def test_the_tail_of_a_finished_item_is_padded() -> None:
    queue = playout()
    queue.write("a", b"x" * 100)
    queue.finish_item("a")
    assert queue.items_finished() == []
    assert queue.next_frame() == b"x" * 100 + b"\xff" * 60
    assert queue.items_finished() == ["a"]
    assert queue.items_finished() == []
    assert queue.stats.padded_bytes == 60
    assert queue.next_frame() is None


def test_an_item_heard_to_the_end_is_reported_when_it_is_finished() -> None:
    queue = playout()
    queue.write("a", b"x" * FRAME)
    queue.next_frame()
    assert queue.items_finished() == []
    assert queue.played_ms("a") == 20
    queue.finish_item("a")
    assert queue.items_finished() == ["a"]
    assert queue.played_ms("a") == 0


def test_an_item_without_audio_finishes_at_once() -> None:
    queue = playout()
    queue.write("a", b"")
    queue.finish_item("a")
    assert queue.items_finished() == ["a"]


def test_a_frame_over_two_items_is_split_to_the_byte() -> None:
    queue = playout()
    queue.write("a", b"a" * 200)
    queue.finish_item("a")
    queue.write("b", b"b" * 400)
    queue.next_frame()
    assert queue.next_frame() == b"a" * 40 + b"b" * 120
    assert queue.items_finished() == ["a"]
    assert queue.flush() == [Heard("b", 15, 50, False)]


def test_a_flush_tells_what_was_heard_of_every_item() -> None:
    queue = playout()
    queue.write("a", b"a" * 8 * 30)
    queue.finish_item("a")
    queue.write("b", b"b" * 8 * 1000)
    queue.write("c", b"c" * 8 * 5)
    queue.next_frame()
    assert queue.flush() == [
        Heard("a", 20, 30, True),
        Heard("b", 0, 1000, False),
        Heard("c", 0, 5, False),
    ]
    assert queue.queued_ms == 0
    assert queue.next_frame() is None
    assert queue.flush() == []


def test_after_a_flush_late_news_of_an_item_is_ignored() -> None:
    queue = playout()
    queue.write("a", b"a" * 800)
    queue.flush()
    queue.finish_item("a")
    assert queue.items_finished() == []


def test_marks_are_reached_when_everything_before_was_heard() -> None:
    queue = playout()
    queue.mark("empty")
    assert queue.marks_reached() == ["empty"]
    queue.write("a", b"x" * 2 * FRAME)
    queue.mark("one")
    queue.mark("two")
    queue.write("a", b"x" * FRAME)
    queue.mark("three")
    queue.next_frame()
    assert queue.marks_reached() == []
    queue.next_frame()
    assert queue.marks_reached() == ["one", "two"]
    queue.next_frame()
    assert queue.marks_reached() == ["three"]


def test_a_mark_behind_a_padded_tail_is_reached_with_it() -> None:
    queue = playout()
    queue.write("a", b"x" * 170)
    queue.finish_item("a")
    queue.mark("end")
    queue.next_frame()
    assert queue.marks_reached() == []
    queue.next_frame()
    assert queue.marks_reached() == ["end"]


def test_a_mark_waits_for_the_rest_of_an_open_item() -> None:
    queue = playout()
    queue.write("a", b"x" * 100)
    queue.mark("soon")
    assert queue.next_frame() is None
    assert queue.marks_reached() == []
    queue.finish_item("a")
    queue.next_frame()
    assert queue.marks_reached() == ["soon"]


def test_a_flush_drops_marks_and_names_them() -> None:
    queue = playout()
    queue.write("a", b"x" * 800)
    queue.mark("never")
    queue.flush()
    assert queue.marks_reached() == []
    assert queue.marks_flushed() == ["never"]
    assert queue.marks_flushed() == []


def test_an_underrun_is_counted_once_until_there_is_audio_again() -> None:
    queue = playout()
    queue.write("a", b"x" * FRAME)
    queue.next_frame()
    for _ in range(5):
        assert queue.next_frame() is None
    assert queue.stats.underruns == 1
    queue.write("a", b"x" * FRAME)
    queue.next_frame()
    queue.next_frame()
    assert queue.stats.underruns == 2
    queue.finish_item("a")
    queue.next_frame()
    assert queue.stats.underruns == 2


def test_more_than_the_bound_is_dropped_and_counted() -> None:
    queue = playout(max_queued_ms=100)
    queue.write("a", b"x" * 700)
    queue.write("a", b"x" * 200)
    assert queue.stats.dropped_bytes == 200
    assert queue.queued_ms == 87.5


def test_an_item_may_go_on_after_another_was_written() -> None:
    queue = playout()
    queue.write("a", b"a" * 80)
    queue.write("b", b"b" * 80)
    queue.write("a", b"a" * 160)
    assert queue.next_frame() == b"a" * 80 + b"b" * 80
    assert queue.next_frame() == b"a" * 160
    assert queue.flush() == [Heard("a", 30, 30, False), Heard("b", 10, 10, False)]
