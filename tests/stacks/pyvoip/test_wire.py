from __future__ import annotations

import pytest

from telephony.stacks.pyvoip.wire import Wire


def test_it_keeps_what_is_sent_until_it_is_taken() -> None:
    wire = Wire()
    assert wire.sendto(b"BYE sip:a SIP/2.0\r\n\r\n", ("192.0.2.1", 5060)) == 21
    wire.setblocking(True)
    assert [draft.method for draft in wire.take()] == ["BYE"]
    assert wire.take() == []


def test_nothing_is_read_from_it_and_closing_forgets() -> None:
    wire = Wire()
    with pytest.raises(BlockingIOError):
        wire.recv(8192)
    wire.sendto(b"x", ("192.0.2.1", 5060))
    wire.close()
    assert wire.take() == []
