from __future__ import annotations

import numpy as np

from telephony.audio.format import L16_24K, PCMU
from telephony.audio.g711 import l16_to_pcmu, pcmu_to_l16
from telephony.calls.downlink import Downlink


def downlink(prebuffer_ms: int = 40, model: object = PCMU) -> Downlink:
    return Downlink(PCMU, model, ptime_ms=20, prebuffer_ms=prebuffer_ms)  # type: ignore[arg-type]


def drain(down: Downlink) -> list[bytes]:
    frames = []
    while (frame := down.next_frame()) is not None:
        frames.append(frame)
    return frames


def test_a_talkspurt_waits_for_its_prebuffer() -> None:
    down = downlink()
    down.write("a", b"\x01" * 160)
    assert down.next_frame() is None
    assert not down.idle
    down.write("a", b"\x02" * 160)
    assert down.next_frame() == b"\x01" * 160
    assert down.speaking


def test_a_finished_item_does_not_wait() -> None:
    down = downlink(prebuffer_ms=200)
    down.write("a", b"\x01" * 100)
    down.finish("a")
    assert down.next_frame() == b"\x01" * 100 + b"\xff" * 60
    assert down.next_frame() is None
    assert down.idle


def test_after_an_underrun_the_prebuffer_is_filled_again() -> None:
    down = downlink()
    down.write("a", b"\x01" * 320)
    assert len(drain(down)) == 2
    down.write("a", b"\x02" * 160)
    assert down.next_frame() is None
    down.finish("a")
    assert len(drain(down)) == 1


def test_flush_tells_what_was_heard_of_each_item() -> None:
    down = downlink()
    down.write("a", b"\x01" * 240)
    down.finish("a")
    down.write("b", b"\x02" * 400)
    for _ in range(2):
        down.next_frame()
    heard = down.flush()
    assert [(h.item_id, h.played_ms, h.received_ms) for h in heard] == [("b", 10.0, 50.0)]
    assert not heard[0].finished
    assert down.idle
    assert down.next_frame() is None


def test_a_new_item_ends_the_one_before() -> None:
    down = downlink()
    down.write("a", b"\x01" * 80)
    down.write("b", b"\x02" * 80)
    assert [h.finished for h in down.flush()] == [True, False]


def test_24_khz_is_resampled_to_the_sample() -> None:
    down = downlink(model=L16_24K)
    for _ in range(10):
        down.write("a", bytes(4800))
    down.finish("a")
    assert len(drain(down)) == 50


def test_finishing_another_item_changes_nothing() -> None:
    down = downlink(prebuffer_ms=100)
    down.write("a", b"\x01" * 160)
    down.finish("b")
    assert down.next_frame() is None
    down.finish_all()
    assert down.next_frame() is not None


def test_an_item_stays_open_when_its_format_turns_out_to_be_another() -> None:
    down = downlink(prebuffer_ms=0)
    down.write("a", b"\x01" * 160)
    down.change_model_format(L16_24K)
    down.write("a", bytes(9600))
    for _ in range(3):
        down.next_frame()
    [heard] = down.flush()
    assert heard.item_id == "a"
    assert not heard.finished
    assert heard.played_ms == 60.0
    assert heard.received_ms > 200


def test_the_same_format_again_keeps_the_stream() -> None:
    down = downlink(model=L16_24K)
    down.write("a", bytes(4800))
    queued_ms = down.queued_ms
    down.change_model_format(L16_24K)
    assert down.queued_ms == queued_ms


def test_items_do_not_pile_up_in_a_long_call() -> None:
    down = downlink()
    for index in range(100):
        down.write(f"item-{index}", b"\x01" * 160)
        down.finish_all()
        drain(down)
    assert down._playout.items_finished() == []


FILLER = l16_to_pcmu((10_000 * np.sin(np.arange(160 * 100) * 0.3)).astype("<i2").tobytes())
"""Two seconds of a tone."""


def test_a_filler_plays_after_what_is_queued_and_to_its_end() -> None:
    down = downlink()
    down.write("a", b"\x01" * 400)
    down.play(FILLER[:1000])
    assert not down.idle
    assert drain(down)[:3] == [b"\x01" * 160, b"\x01" * 160, b"\x01" * 80 + b"\xff" * 80]
    assert down.idle
    # Nobody's words were heard in it.
    down.play(FILLER[:1000])
    down.next_frame()
    assert down.playing() is None
    assert down.flush() == []
    assert down.idle
    assert down.next_frame() is None


def test_an_answer_ends_the_filler_within_300_ms_and_without_a_click() -> None:
    down = downlink()
    down.play(FILLER)
    for _ in range(5):
        down.next_frame()
    assert down.filling
    down.write("a", b"\x01" * 16_000)
    frames = drain(down)
    answer_at = frames.index(b"\x01" * 160)
    assert answer_at <= 15
    heard = pcmu_to_l16(b"".join(frames[:answer_at]))
    steps = np.abs(np.diff(np.frombuffer(heard, "<i2").astype(int)))
    assert steps.max() < 4000
    assert abs(int(np.frombuffer(heard, "<i2")[-1])) < 300
    assert not down.filling
    assert [h.item_id for h in down.flush()] == ["a"]


def test_a_filler_that_has_not_begun_gives_way_to_the_answer() -> None:
    down = downlink()
    down.write("a", b"\x01" * 320)
    down.play(FILLER)
    down.write("b", b"\x02" * 320)
    down.finish_all()
    assert drain(down) == [b"\x01" * 160] * 2 + [b"\x02" * 160] * 2
