"""Order, and who gives way."""

from __future__ import annotations

from telephony.net.message_queue import MessageQueue


def drain(queue: MessageQueue) -> list[bytes]:
    out = []
    while (taken := queue.take()) is not None:
        out.append(taken[0])
    return out


def test_messages_leave_in_the_order_they_came() -> None:
    queue = MessageQueue(100)
    queue.put_audio(b"a1")
    queue.put(b"c1")
    queue.put_audio(b"a2")
    queue.put(b"c2")
    assert drain(queue) == [b"a1", b"c1", b"a2", b"c2"]
    assert not queue
    assert queue.audio_bytes == queue.control_bytes == 0


def test_a_message_leaves_as_what_it_came() -> None:
    queue = MessageQueue(100)
    queue.put_audio(b"a")
    queue.put(b"c")
    assert [queue.take(), queue.take(), queue.take()] == [(b"a", True), (b"c", False), None]


def test_the_oldest_audio_gives_way_and_control_never() -> None:
    queue = MessageQueue(4)
    queue.put(b"control 1")
    assert [queue.put_audio(b"a1"), queue.put_audio(b"a2")] == [0, 0]
    queue.put(b"control 2")
    assert [queue.put_audio(b"a3"), queue.put_audio(b"a4")] == [1, 1]
    assert queue.audio_bytes == 4
    assert drain(queue) == [b"control 1", b"control 2", b"a3", b"a4"]


def test_a_message_larger_than_the_bound_drops_itself() -> None:
    queue = MessageQueue(3)
    queue.put_audio(b"abc")
    assert queue.put_audio(b"abcd") == 2
    assert drain(queue) == []
    assert queue.audio_bytes == 0


def test_dropped_audio_leaves_nothing_behind() -> None:
    queue = MessageQueue(2)
    for _ in range(1000):
        queue.put_audio(b"aa")
    assert len(queue._slots) == len(queue._audio) == 1


def test_clear_forgets_all() -> None:
    queue = MessageQueue(10)
    queue.put(b"c")
    queue.put_audio(b"a")
    assert queue
    queue.clear()
    assert not queue
    assert drain(queue) == []
