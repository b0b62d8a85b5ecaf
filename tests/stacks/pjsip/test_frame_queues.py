from __future__ import annotations

from telephony.stacks.pjsip.frame_queues import (
    MAX_FRAMES,
    PREPARED_FRAMES,
    FrameQueues,
    FrameQueueStats,
)


def test_a_loop_that_is_late_loses_the_oldest_frames_and_they_are_counted() -> None:
    stats = FrameQueueStats()
    queues = FrameQueues(stats)
    for number in range(MAX_FRAMES + 3):
        queues.push_received(bytes([number]))
    assert stats.overruns == 3
    assert queues.received.popleft() == b"\x03"


def test_what_is_not_ready_is_silence_and_counted() -> None:
    stats = FrameQueueStats()
    queues = FrameQueues(stats)
    queues.prepared.append(b"a")
    assert [queues.pop_prepared(), queues.pop_prepared()] == [b"a", None]
    assert stats.underruns == 1
    assert queues.prepared.maxlen == PREPARED_FRAMES


def test_a_new_call_hears_nothing_of_the_one_before() -> None:
    queues = FrameQueues(FrameQueueStats())
    queues.open()
    queues.push_received(b"old")
    queues.prepared.append(b"old")
    queues.close()
    assert not queues.in_use
    queues.open()
    assert queues.in_use
    assert not queues.received
    assert not queues.prepared
