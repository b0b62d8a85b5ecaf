"""Which refusals are worth another try."""

from __future__ import annotations

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from telephony.net.model_handshake import (
    ModelConnectError,
    check_headers,
    default_tls,
    handshake_error,
    read_url,
)


@pytest.mark.parametrize("url", ["", "https://x/y", "ws://", "ws://host:port/", "nonsense"])
def test_a_url_that_is_no_websocket_is_refused_for_good(url: str) -> None:
    with pytest.raises(ModelConnectError) as caught:
        read_url(url)
    assert caught.value.fatal
    assert caught.value.status == 0


def test_a_websocket_url_is_read() -> None:
    uri = read_url("wss://api.openai.com/v1/realtime?model=m")
    assert (uri.secure, uri.host, uri.port) == (True, "api.openai.com", 443)


def test_a_key_with_a_line_break_is_refused_before_it_is_sent() -> None:
    check_headers({"Authorization": "Bearer sk-1"})
    with pytest.raises(ModelConnectError, match="Authorization") as caught:
        check_headers({"Authorization": "Bearer sk-1\n"})
    assert caught.value.fatal
    assert "sk-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "fatal"),
    [(400, True), (401, True), (403, True), (404, True), (429, False), (500, False), (503, False)],
)
def test_the_status_decides_whether_to_try_again(status: int, fatal: bool) -> None:
    refusal = InvalidStatus(Response(status, "Because", Headers(), b""))
    error = handshake_error(refusal, "lost")
    assert (error.status, error.fatal, str(error)) == (status, fatal, f"HTTP {status} Because")
    # A key that is not known is not known to any other session either.
    assert error.of_account == (status in (401, 403))


def test_an_empty_account_is_told_from_a_busy_server() -> None:
    body = b'{"error":{"code":"insufficient_quota","message":"You exceeded your quota"}}'
    refusal = InvalidStatus(Response(429, "Too Many Requests", Headers(), body))
    error = handshake_error(refusal, "lost")
    assert error.fatal
    assert error.of_account
    assert str(error) == "HTTP 429 Too Many Requests: You exceeded your quota"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"error":"x"}', b"\xff\xfe"])
def test_any_body_is_survived(body: bytes) -> None:
    refusal = InvalidStatus(Response(503, "Unavailable", Headers(), body))
    assert str(handshake_error(refusal, "lost")) == "HTTP 503 Unavailable"


def test_without_an_answer_the_other_reason_is_given() -> None:
    error = handshake_error(None, "connection lost")
    assert (error.status, error.fatal, str(error)) == (0, False, "connection lost")


def test_one_context_serves_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    first = default_tls()
    assert default_tls() is first
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    assert default_tls() is not first


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "no money"}}',
        b'{"detail": {"status": "quota", "message": "no money"}}',
        b'{"err_code": "X", "err_msg": "no money"}',
    ],
)
def test_the_reason_is_found_where_providers_put_it(body: bytes) -> None:
    response = Response(402, "Payment Required", Headers(), body)
    error = handshake_error(InvalidStatus(response), "")
    assert error.reason == "HTTP 402 Payment Required: no money"
    assert error.fatal
