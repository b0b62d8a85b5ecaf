from __future__ import annotations

import pytest

from telephony.realtime.speech import event_stream
from telephony.realtime.speech.event_stream import EventStream

STREAM = b": hi\nevent: a\ndata: one\ndata:two\n\nid: 7\r\ndata:  three\r\n\r\n\n\ndata\n\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_however_they_are_cut(size: int) -> None:
    stream = EventStream()
    events = [
        e for at in range(0, len(STREAM), size) for e in stream.receive(STREAM[at : at + size])
    ]
    assert events == [b"one\ntwo", b" three"]
    assert stream.finish() == []


def test_the_last_event_may_lack_its_end() -> None:
    stream = EventStream()
    assert stream.receive(b"data: one\n\ndata: two") == [b"one"]
    assert stream.finish() == [b"two"]
    assert stream.finish() == []


def test_an_endless_line_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "_MAX_LINE_BYTES", 10)
    stream = EventStream()
    assert stream.receive(b"data: 0123456789") == []
    assert stream.receive(b"9" * 50) == []
    assert stream.receive(b"9\n\ndata: x\n\n") == [b"x"]
    assert stream.lines_dropped >= 1
