"""The test messages of RFC 4475 and RFC 5118 (tests/fixtures/torture), and ways to deliver them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, StreamFramer, parse_message
from telephony.sip.message import IncomingRequest, read_request
from tests.sip.wire import PEER, US, HandPeer, lines

FOLDER = Path(__file__).parent.parent / "fixtures" / "torture"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a message of section ``section`` gets.

    ``answer`` is the response to the datagram, "" for none; ``reason`` the counter of malformed
    messages that goes with it. ``stream`` are the responses when it comes over a stream, if others,
    ``broken`` says why no more can be read from it. ``why`` is what the RFC asks for.
    """

    section: str
    answer: str
    reason: str = ""
    why: str = ""
    stream: tuple[str, ...] | None = None
    broken: str | None = None

    @property
    def on_stream(self) -> list[str]:
        if self.stream is not None:
            return list(self.stream)
        return [self.answer] if self.answer else []


def load(name: str) -> bytes:
    return (FOLDER / f"{name}.sip").read_bytes()


def request(name: str) -> IncomingRequest:
    message = parse_message(load(name))
    assert isinstance(message, RawRequest)
    return read_request(message, Flow("udp", PEER, US))


def check_datagram(name: str, outcome: Outcome) -> None:
    peer = HandPeer()
    assert lines(peer.send(load(name))) == ([outcome.answer] if outcome.answer else [])
    assert list(peer.agent.stats.malformed) == ([outcome.reason] if outcome.reason else [])


def check_stream(name: str, outcome: Outcome) -> None:
    peer = HandPeer(transport="tcp")
    framer = StreamFramer()
    sent = [answer for part in framer.receive(load(name)) for answer in peer.send(part)]
    assert lines(sent) == outcome.on_stream
    assert framer.broken == outcome.broken


def check_splits(name: str) -> None:
    """Cut in two at every octet, and octet by octet, a stream gives the same messages."""
    data = load(name)
    whole, single = StreamFramer(), StreamFramer()
    expected = whole.receive(data)
    for cut in range(1, len(data)):
        halves = StreamFramer()
        assert halves.receive(data[:cut]) + halves.receive(data[cut:]) == expected
        assert halves.broken == whole.broken
    assert [part for octet in data for part in single.receive(bytes([octet]))] == expected
    assert single.broken == whole.broken
