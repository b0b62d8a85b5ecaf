"""The user of a non-INVITE transaction."""

from __future__ import annotations

from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.message import IncomingResponse, read_response
from telephony.sip.request_attempt import RequestAttempt
from tests.sip.wire import HandPeer


def _response(status: int) -> IncomingResponse:
    peer = HandPeer()
    _, invite = peer.calling()
    message = parse_message(peer.response(invite, status))
    assert not isinstance(message, RawRequest)
    return read_response(message)


def test_only_the_final_outcome_is_reported() -> None:
    outcomes: list[tuple[int, str, float]] = []
    attempt = RequestAttempt(lambda *outcome: outcomes.append(outcome))
    attempt.response_received(_response(100), 1.0)
    attempt.response_received(_response(200), 2.0)
    attempt.request_failed(408, 3.0)
    assert outcomes == [(200, "Whatever", 2.0), (408, "Request Timeout", 3.0)]
