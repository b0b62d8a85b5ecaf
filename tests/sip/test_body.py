"""Finding SDP in bodies."""

from __future__ import annotations

import pytest
import sipmessage

from telephony.sip.body import UnsupportedBodyError, find_sdp, media_type, same_session


def _headers(**values: str) -> sipmessage.Headers:
    headers = sipmessage.Headers()
    for name, value in values.items():
        headers.add(name.replace("_", "-"), value)
    return headers


def test_no_body_is_no_sdp() -> None:
    assert find_sdp(_headers(Content_Type="text/plain"), b"") is None


@pytest.mark.parametrize("kind", ["application/sdp", "Application/SDP ; charset=utf-8", ""])
def test_plain_sdp(kind: str) -> None:
    headers = _headers(Content_Type=kind) if kind else _headers()
    assert find_sdp(headers, b"v=0\r\n") == b"v=0\r\n"


@pytest.mark.parametrize("boundary", ["b", '"b"'])
def test_sdp_among_other_parts(boundary: str) -> None:
    body = (
        b"preamble\r\n--b\r\nContent-Type: text/plain\r\n\r\nno\r\n--b\r\nContent-ID: x\r\n"
        b"c: application/sdp;a=b\r\n\r\nv=0\r\n\r\nrest\r\n--b--\r\n"
    )
    headers = _headers(Content_Type=f"multipart/mixed;boundary={boundary}")
    assert find_sdp(headers, body) == b"v=0\r\n\r\nrest"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (_headers(Content_Type="application/isup"), b"x"),
        (_headers(), b"something"),
        (_headers(Content_Type="multipart/mixed"), b"--b\r\n\r\nx"),
        (_headers(Content_Type="multipart/mixed;boundary=b"), b"--b\r\n\r\nx\r\n--b--"),
        (_headers(Content_Type="application/sdp", Content_Encoding="gzip"), b"v=0"),
    ],
)
def test_other_bodies_are_refused(headers: sipmessage.Headers, body: bytes) -> None:
    with pytest.raises(UnsupportedBodyError):
        find_sdp(headers, body)


def _nested(depth: int, boundary: str = "b") -> tuple[sipmessage.Headers, bytes]:
    """Wrap SDP in ``depth`` multiparts; each boundary begins with the one around it."""
    body, kind = b"v=0\r\n", b"application/sdp"
    for level in reversed(range(depth)):
        mark = f"{boundary}{'x' * level}".encode()
        part = b"Content-Type: " + kind + b"\r\n\r\n" + body
        body = b"--" + mark + b"\r\n" + part + b"\r\n--" + mark + b"--\r\n"
        kind = b"multipart/mixed;\r\n boundary=" + mark
    return _headers(Content_Type=kind.decode().replace("\r\n", "")), body


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_sdp_in_multiparts_within_multiparts(depth: int) -> None:
    assert find_sdp(*_nested(depth)) == b"v=0\r\n"


@pytest.mark.parametrize("depth", [5, 40, 400])
def test_deeper_multiparts_are_not_searched(depth: int) -> None:
    with pytest.raises(UnsupportedBodyError):
        find_sdp(*_nested(depth))


def test_only_so_many_parts_are_searched() -> None:
    junk = b"--b\r\n\r\n\r\n" * 64
    body = junk + b"--b\r\nc: application/sdp\r\n\r\nv=0\r\n--b--"
    with pytest.raises(UnsupportedBodyError):
        find_sdp(_headers(Content_Type="multipart/mixed;boundary=b"), body)


def test_media_type() -> None:
    assert media_type(_headers(Content_Type="Application/DTMF-Relay; x=y")) == (
        "application/dtmf-relay"
    )
    assert media_type(_headers()) == ""


def test_the_same_session_with_another_version() -> None:
    one = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\n"
    assert same_session(one, one.replace(b"- 1 1 ", b"- 1 2 "))
    assert same_session(one, one.replace(b"\r\n", b"\n"))
    assert not same_session(one, one.replace(b"4000", b"4002"))
    assert not same_session(one, None)
    assert same_session(None, b"")
