from __future__ import annotations

import json
from typing import Any

import pytest

from telephony.realtime.hosted.incoming import IncomingCall, Invites, read_event

HEADERS = [
    {"name": "From", "value": "<sip:+15550199@carrier.example>;tag=abc"},
    {"name": "To", "value": "<sip:+15550100@sip.api.openai.com>"},
    {"name": "Call-ID", "value": "one@carrier.example"},
    {"name": "X-Queue", "value": "a"},
    {"name": "X-Queue", "value": "b"},
]


def event(kind: str, **data: Any) -> bytes:
    return json.dumps({"object": "event", "id": "evt_1", "type": kind, "data": data}).encode()


@pytest.mark.parametrize(
    ("kind", "data", "surface", "call_id"),
    [
        ("realtime.call.incoming", {"call_id": "rtc_1"}, "realtime", "rtc_1"),
        ("live.transport.incoming", {"type": "sip", "session_id": "live_1"}, "live", "live_1"),
        ("live.call.incoming", {"session_id": "live_1"}, "live", "live_1"),
    ],
)
def test_three_events_tell_of_a_call(
    kind: str, data: dict[str, str], surface: str, call_id: str
) -> None:
    read = read_event(event(kind, **data, sip_headers=HEADERS, sip_media_security="srtp"))
    assert read.expected
    assert read.call is not None
    assert (read.call.surface, read.call.call_id) == (surface, call_id)
    assert read.call.media_security == "srtp"
    assert read.call.header("x-queue") == "a"
    assert read.call.header("to") == "<sip:+15550100@sip.api.openai.com>"
    assert read.call.header("Subject") == ""
    assert len(read.call.headers) == 5


def test_events_of_other_kinds_are_no_calls() -> None:
    read = read_event(event("batch.completed", id="batch_1"))
    assert (read.kind, read.call, read.expected) == ("batch.completed", None, False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"type": 7}',
        b"\xff\xfe",
        b'{"type":"realtime.call.incoming"}',
        b'{"type":"realtime.call.incoming","data":[]}',
        b'{"type":"realtime.call.incoming","data":{"call_id":7}}',
        b'{"type":"realtime.call.incoming","data":{"call_id":""}}',
        event("realtime.call.incoming", call_id="../../files"),
        event("realtime.call.incoming", call_id="rtc_1\r\nX: y"),
        event("realtime.call.incoming", call_id="r" * 257),
        event("live.transport.incoming", type="webrtc", session_id="live_1"),
        b"[" * 100_000,
    ],
)
def test_garbage_is_no_call(body: bytes) -> None:
    assert read_event(body).call is None


def test_headers_that_are_none_are_left_out_and_bounded() -> None:
    odd = [
        7,
        {"name": "A"},
        {"name": "B: c", "value": "x"},
        {"name": "C", "value": "y" * 9000},
        {"name": "D", "value": None},
        {"value": "z"},
        {"name": "E", "value": "fine"},
    ]
    read = read_event(event("realtime.call.incoming", call_id="rtc_1", sip_headers=odd))
    assert read.call is not None
    assert read.call.headers == (("A", ""), ("D", ""), ("E", "fine"))
    many = [{"name": "X", "value": "y"}] * 500
    read = read_event(event("realtime.call.incoming", call_id="rtc_1", sip_headers=many))
    assert read.call is not None
    assert len(read.call.headers) == 128


@pytest.mark.parametrize("security", ["sdes", 7, None, ""])
def test_media_security_of_another_word_is_unknown(security: object) -> None:
    read = read_event(event("realtime.call.incoming", call_id="r", sip_media_security=security))
    assert read.call is not None
    assert read.call.media_security == ""


def call(surface: Any, call_id: str, sip_call_id: str = "one@x", tag: str = "abc") -> IncomingCall:
    headers = (("From", f"<sip:a@b>;tag={tag};x=y"), ("Call-ID", sip_call_id))
    return IncomingCall(surface, call_id, headers if sip_call_id else ())


def test_both_events_of_one_invite_are_one() -> None:
    invites = Invites()
    first, new = invites.add(call("live", "live_1"), 0.0)
    assert new
    second, again = invites.add(call("realtime", "rtc_1"), 0.5)
    assert (second is first, again) == (True, False)
    assert first.ids == {"live": "live_1", "realtime": "rtc_1"}
    # Another id of the same API does not replace the first.
    invites.add(call("realtime", "rtc_2"), 0.6)
    assert first.ids["realtime"] == "rtc_1"


def test_other_call_ids_and_other_callers_are_other_invites() -> None:
    invites = Invites()
    invites.add(call("realtime", "rtc_1"), 0.0)
    assert invites.add(call("realtime", "rtc_2", "two@x"), 0.0)[1]
    assert invites.add(call("realtime", "rtc_3", tag="def"), 0.0)[1]
    # Nothing joins events without a Call-ID.
    assert invites.add(call("realtime", "rtc_4", ""), 0.0)[1]
    assert invites.add(call("live", "live_4", ""), 0.0)[1]
    assert not invites.add(call("live", "live_4", ""), 0.0)[1]


def test_invites_are_forgotten_after_a_while_and_when_there_are_too_many() -> None:
    invites = Invites()
    invites.add(call("realtime", "rtc_1"), 0.0)
    assert not invites.add(call("realtime", "rtc_1"), 21600.0)[1]
    assert invites.add(call("realtime", "rtc_1"), 21601.0)[1]
    for n in range(5000):
        invites.add(call("realtime", f"rtc_{n}", f"{n}@x"), 22000.0)
    assert len(invites._known) == 4096
