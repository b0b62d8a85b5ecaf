"""Parsing messages and cutting streams."""

from __future__ import annotations

import pytest
import sipmessage

from telephony.sip.config import MessageLimits
from telephony.sip.framing import (
    RawRequest,
    SipParseError,
    StreamFramer,
    is_keepalive,
    parse_message,
)

_BODY = b"v=0\r\n\r\nx"
_REQUEST = (
    b"INVITE sip:a@b;x=a+b SIP/2.0\r\nv: SIP/2.0/TCP h;branch=z9hG4bK1\r\nSubject: one\r\n  two\r\n"
    b"\tthree\r\nX-Trailing : yes\r\nl: 8\r\n\r\n" + _BODY
)


def test_request_is_unfolded_expanded_and_cut_to_its_length() -> None:
    message = parse_message(_REQUEST + b"excess")
    assert isinstance(message, RawRequest)
    assert isinstance(message, sipmessage.Request)
    assert (message.method, message.raw_uri) == ("INVITE", "sip:a@b;x=a+b")
    assert message.headers["Via"] == "SIP/2.0/TCP h;branch=z9hG4bK1"
    assert message.headers["Subject"] == "one two three"
    assert message.headers["X-Trailing"] == "yes"
    assert message.body == _BODY


def test_body_without_length_is_the_rest() -> None:
    message = parse_message(b"OPTIONS sip:a@b SIP/2.0\r\n\r\nall of it")
    assert message.body == b"all of it"


@pytest.mark.parametrize("line", [b"SIP/2.0 200 OK", b"sip/2.0 200 OK", b"SIP/2.0 200 "])
def test_response(line: bytes) -> None:
    message = parse_message(b"\r\n\r\n" + line + b"\r\nTo: x\r\n\r\n")
    assert isinstance(message, sipmessage.Response)
    assert message.code == 200


@pytest.mark.parametrize(
    ("data", "reason", "status"),
    [
        (b"", "bad-start-line", 400),
        (b"SIP/2.0 099 X\r\n\r\n", "bad-status-line", 400),
        (b"SIP/2.0 700 X\r\n\r\n", "bad-status-line", 400),
        (b"SIP/3.0 200 X\r\n\r\n", "bad-version", 400),
        (b"SIP/2.00 200 X\r\n\r\n", "bad-version", 400),
        (b"A sip:a@b SIP/2.0\r\nno colon\r\n\r\n", "bad-header-line", 400),
        (b"A sip:a@b SIP/2.0\r\n: empty\r\n\r\n", "bad-header-line", 400),
        (b"A sip:a@b SIP/2.0\r\nX: " + b"y" * 200 + b"\r\n\r\n", "line-too-long", 513),
        (b"A sip:a@b SIP/2.0\r\n" + b"X: y\r\n" * 11 + b"\r\n", "too-many-headers", 513),
        (b"A sip:a@b SIP/2.0\r\n\r\n" + b"y" * 301, "too-large", 513),
        (b"A sip:a@b SIP/2.0\r\n" + b"X: yyyyyyyy\r\n" * 50 + b"\r\n", "too-large", 513),
        (b"A sip:a@b SIP/2.0\r\nl: 1e3\r\n\r\n", "bad-content-length", 400),
        (b"A sip:a@b SIP/2.0\r\nl: \xd9\xa3\r\n\r\n", "bad-content-length", 400),
    ],
)
def test_what_is_refused(data: bytes, reason: str, status: int) -> None:
    limits = MessageLimits(
        max_header_bytes=400, max_body_bytes=300, max_line_bytes=100, max_header_count=10
    )
    with pytest.raises(SipParseError) as error:
        parse_message(data, limits)
    assert (error.value.reason, error.value.status) == (reason, status)


@pytest.mark.parametrize("data", [b"\r\n", b"\r\n\r\n", b"\0\0\0\0", b"  ", b""])
def test_keepalives(data: bytes) -> None:
    assert is_keepalive(data)


def test_stream_is_cut_whatever_the_pieces() -> None:
    stream = _REQUEST + b"\r\n\r\n" + _REQUEST
    for split in range(len(stream) + 1):
        framer = StreamFramer()
        messages = framer.receive(stream[:split]) + framer.receive(stream[split:])
        assert messages == [_REQUEST, _REQUEST]
        assert framer.bytes_to_send() == b"\r\n"
        assert framer.bytes_to_send() == b""


def test_stream_byte_by_byte() -> None:
    framer = StreamFramer()
    messages = [
        message
        for octet in b"\r\n\r\n" + _REQUEST * 2 + b"\r\n\r\n"
        for message in framer.receive(bytes([octet]))
    ]
    assert messages == [_REQUEST, _REQUEST]
    assert framer.bytes_to_send() == b"\r\n\r\n"


def test_a_lone_line_end_before_a_message_is_skipped() -> None:
    framer = StreamFramer()
    assert framer.receive(b"\r\n" + _REQUEST) == [_REQUEST]
    assert framer.bytes_to_send() == b""


@pytest.mark.parametrize(
    "line", [b"Content-Length: 8", b"CONTENT-LENGTH:8", b"l \t:\r\n  8", b"l:8 ", b"X: y\r\nl: 8"]
)
def test_every_spelling_of_the_length(line: bytes) -> None:
    message = b"INVITE sip:a@b SIP/2.0\r\n" + line + b"\r\n\r\n" + _BODY
    assert StreamFramer().receive(message + b"INV") == [message]


def test_without_length_there_is_no_body() -> None:
    message = b"OPTIONS sip:a@b SIP/2.0\r\nX: y\r\n\r\n"
    assert StreamFramer().receive(message * 2) == [message, message]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"x", "bad-content-length"),
        (b"-1", "bad-content-length"),
        (b"33000", "too-large"),
        (b"9" * 30, "bad-content-length"),
    ],
)
def test_a_refused_length_hands_over_the_headers_and_ends(value: bytes, reason: str) -> None:
    framer = StreamFramer()
    head = b"INVITE sip:a@b SIP/2.0\r\nl: " + value + b"\r\n\r\n"
    assert framer.receive(head + b"tail" + head) == [head]
    assert framer.broken == reason
    assert framer.receive(head) == []


def test_headers_without_end_break_the_stream() -> None:
    framer = StreamFramer(MessageLimits(max_header_bytes=100))
    assert framer.receive(b"x" * 90) == []
    assert framer.broken is None
    framer.receive(b"x" * 20)
    assert framer.broken == "headers-too-large"
    framer = StreamFramer(MessageLimits(max_header_bytes=100))
    assert framer.receive(b"x" * 110 + b"\r\n\r\n") == []
    assert framer.broken == "headers-too-large"


@pytest.mark.parametrize("octets", [[b"\r\n"], [b"\r", b"\n"]])
def test_two_pongs_are_not_a_ping(octets: list[bytes]) -> None:
    framer = StreamFramer()
    for _ in range(3):
        framer.expect_pong()
        for part in octets:
            assert framer.receive(part) == []
    assert framer.bytes_to_send() == b""
    # The peer may ping as well.
    framer.receive(b"\r\n\r\n")
    assert framer.bytes_to_send() == b"\r\n"


def test_a_flood_of_pings_gets_few_pongs() -> None:
    framer = StreamFramer()
    message = b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n"
    assert framer.receive(b"\r\n" * 100_001 + message) == [message]
    assert framer.bytes_to_send() == b"\r\n" * 8
    framer.receive(b"\r\n\r\n")
    assert framer.bytes_to_send() == b"\r\n"


def test_a_pong_before_a_message() -> None:
    framer = StreamFramer()
    framer.expect_pong()
    message = b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n"
    assert framer.receive(b"\r\n" + message) == [message]
    assert framer.bytes_to_send() == b""


@pytest.mark.parametrize(
    "line",
    [
        b"l:5",
        b"Content-Length\t : \t5 ",
        b"CONTENT-LENGTH:\r\n 5",
        b"Content-Length: \r\n\t5",
        b"Content-Length\r\n : 5",
        b"l: 5\r\nContent-Length: 5",
        b"l: 0005",
    ],
)
def test_stream_and_parser_agree_on_the_length(line: bytes) -> None:
    message = b"OPTIONS sip:a@b SIP/2.0\r\n" + line + b"\r\n\r\nhello"
    framer = StreamFramer()
    assert framer.receive(message * 2) == [message, message]
    assert parse_message(message).body == b"hello"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"l: 5\r\nContent-Length: 6", "content-length-conflict"),
        (b"l: 5\r\nX: y\r\nl: ", "content-length-conflict"),
        (b"l: 5\r\n 6", "bad-content-length"),
        (b"l: +5", "bad-content-length"),
        (b"l: 5, 5", "bad-content-length"),
        (b"l: 0x5", "bad-content-length"),
        (b"l: 5 ;x", "bad-content-length"),
        (b"l:", "bad-content-length"),
        (b"l: \xd9\xa5", "bad-content-length"),
    ],
)
def test_a_length_that_could_be_read_in_two_ways_ends_the_stream(line: bytes, reason: str) -> None:
    """What one reads as the body another would read as the next message."""
    head = b"OPTIONS sip:a@b SIP/2.0\r\n" + line + b"\r\n\r\n"
    framer = StreamFramer()
    assert framer.receive(head + b"BYE sip:a@b SIP/2.0\r\n\r\n") == [head]
    assert framer.broken == reason
    with pytest.raises(SipParseError) as error:
        parse_message(head)
    assert error.value.reason == reason
    assert error.value.status == 400


def _headers_of(data: bytes) -> sipmessage.Headers | None:
    try:
        return parse_message(data).headers
    except SipParseError as error:
        return error.headers


@pytest.mark.parametrize(
    "line",
    [
        b"X: y\r\n l: 5",
        b"X: y\nl: 5",
        b"X: y\rl: 5",
        b'X: "\r\n\tl: 5"',
        b"X: y\x0bl: 5",
        b"\x1fl: 5",
        b"l\x1f: 5",
        b"l\xc2\xa0: 5",
        b"l\0: 5",
    ],
)
def test_lengths_inside_of_other_lines_are_none(line: bytes) -> None:
    head = b"OPTIONS sip:a@b SIP/2.0\r\n" + line + b"\r\n\r\n"
    assert StreamFramer().receive(head + head) == [head, head]
    headers = _headers_of(head)
    assert headers is not None
    assert headers.get("Content-Length") is None


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\r", b"\n\r"])
@pytest.mark.parametrize("line", [b"SIP/2.0 200 OK%sX: y", b"A sip:a@b%sX: y SIP/2.0"])
def test_line_ends_in_a_start_line(line: bytes, end: bytes) -> None:
    with pytest.raises(SipParseError, match="bad-start-line"):
        parse_message(line % end + b"\r\nTo: x\r\n\r\n")


def test_a_folded_start_line_is_none() -> None:
    with pytest.raises(SipParseError) as error:
        parse_message(b"A sip:a@b SIP/2.0\r\n X: y\r\n\r\n")
    assert error.value.status == 400


@pytest.mark.parametrize("uri", ["sip:a@b?x=y", "sip:b?x=y", "sips:a?b@c?x=y"])
def test_headers_are_not_for_request_uris(uri: str) -> None:
    with pytest.raises(SipParseError) as error:
        parse_message(f"A {uri} SIP/2.0\r\n\r\n".encode())
    assert (error.value.reason, error.value.status) == ("headers-in-request-uri", 400)


def test_question_marks_in_a_user_are_no_headers() -> None:
    message = parse_message(b"A sip:a?b@c SIP/2.0\r\n\r\n")
    assert isinstance(message, RawRequest)
    assert message.raw_uri == "sip:a?b@c"


def test_request_uri_too_long() -> None:
    with pytest.raises(SipParseError) as error:
        parse_message(b"A sip:" + b"a" * 2045 + b"@b SIP/2.0\r\n\r\n")
    assert (error.value.reason, error.value.status) == ("bad-request-uri", 414)
