"""Bytes out are bytes in, and what was heard is exact at any moment."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.rtp.playout import Playout

ITEMS = ("a", "b", "c")
WRITE = st.tuples(st.just("write"), st.sampled_from(ITEMS), st.integers(0, 900))
FINISH = st.tuples(st.just("finish"), st.sampled_from(ITEMS), st.just(0))
POP = st.tuples(st.just("pop"), st.just(""), st.integers(1, 6))
FLUSH = st.tuples(st.just("flush"), st.just(""), st.just(0))
MARK = st.tuples(st.just("mark"), st.just(""), st.just(0))
STEPS = st.lists(WRITE | FINISH | POP | FLUSH | MARK, max_size=60)


class Model:
    """The same queue, one byte at a time: (item, byte) pairs and names of marks."""

    def __init__(self) -> None:
        self.queue: list[tuple[str, int] | str] = []
        self.received: dict[str, int] = {}
        self.played: dict[str, int] = {}
        self.finished: set[str] = set()
        self.marks: list[str] = []
        self.done: list[str] = []

    def bytes_queued(self) -> list[tuple[str, int]]:
        return [entry for entry in self.queue if isinstance(entry, tuple)]

    def write(self, item: str, audio: bytes) -> None:
        self.received[item] = self.received.get(item, 0) + len(audio)
        self.played.setdefault(item, 0)
        self.queue += [(item, byte) for byte in audio]

    def settle(self) -> None:
        while self.queue and isinstance(self.queue[0], str):
            self.marks.append(self.queue.pop(0))  # type: ignore[arg-type]
        for item in list(self.received):
            if item in self.finished and self.played[item] == self.received[item]:
                self.done.append(item)
                del self.received[item], self.played[item]
                self.finished.discard(item)

    def pop(self) -> bytes | None:
        queued = self.bytes_queued()
        if len(queued) < 160 and not (queued and queued[-1][0] in self.finished):
            return None
        out = bytearray()
        while len(out) < 160 and self.queue:
            entry = self.queue.pop(0)
            if isinstance(entry, str):
                self.marks.append(entry)
                continue
            self.played[entry[0]] += 1
            out.append(entry[1])
        self.settle()
        return bytes(out).ljust(160, b"\xff")


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_the_queue_does_what_its_model_does(steps: list[tuple[str, str, int]]) -> None:
    playout, model = Playout(8, 20, 0xFF), Model()
    written = marked = 0
    for step, item, count in steps:
        if step == "write":
            audio = bytes((written + offset) % 250 for offset in range(count))
            written += count
            playout.write(item, audio)
            model.write(item, audio)
        elif step == "finish":
            playout.finish_item(item)
            if item in model.received:
                model.finished.add(item)
                model.settle()
        elif step == "mark":
            marked += 1
            playout.mark(str(marked))
            model.queue.append(str(marked))
            model.settle()
        elif step == "pop":
            for _ in range(count):
                assert playout.next_frame() == model.pop()
        else:
            heard = {entry.item_id: entry for entry in playout.flush()}
            assert heard.keys() == model.received.keys()
            for name, entry in heard.items():
                assert entry.played_ms == model.played[name] / 8
                assert entry.received_ms == model.received[name] / 8
                assert entry.finished == (name in model.finished)
            model.queue, model.received, model.played, model.finished = [], {}, {}, set()
            playout.marks_flushed()
        assert playout.queued_ms == len(model.bytes_queued()) / 8
        assert all(playout.played_ms(name) == count / 8 for name, count in model.played.items())
    assert playout.marks_reached() == model.marks
    assert sorted(playout.items_finished()) == sorted(model.done)
