"""The user of a non-INVITE transaction."""

from __future__ import annotations

from telephony.base.ids import Ids
from telephony.sip.agent import Agent
from telephony.sip.authentication import Authentication
from telephony.sip.config import UserAgentConfig
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.message import IncomingResponse, read_response
from telephony.sip.outgoing_request import OutgoingRequest
from telephony.sip.request_attempt import RequestAttempt
from telephony.sip.writer import RequestParts
from tests.sip.challenging import ALICE, challenge_lines
from tests.sip.wire import HandPeer


def _response(status: int, extra: str = "") -> IncomingResponse:
    peer = HandPeer()
    _, invite = peer.calling()
    message = parse_message(peer.response(invite, status, extra=extra))
    assert not isinstance(message, RawRequest)
    return read_response(message)


def _request(peer: HandPeer) -> OutgoingRequest:
    agent = Agent(UserAgentConfig(), Ids.seeded(1))
    parts = RequestParts("OPTIONS", "sip:b@c", "", (), "<sip:a@b>;tag=1", "<sip:b@c>", "call", 1)
    return OutgoingRequest(agent, parts, peer.flow)


def test_only_the_final_outcome_is_reported() -> None:
    outcomes: list[tuple[int, str, float]] = []
    responses: list[int] = []
    attempt = RequestAttempt(
        _request(HandPeer()),
        lambda *outcome: outcomes.append(outcome),
        lambda response, _now: responses.append(response.status),
    )
    attempt.response_received(_response(100), 1.0)
    attempt.response_received(_response(200), 2.0)
    attempt.request_failed(408, 3.0)
    assert outcomes == [(200, "Whatever", 2.0), (408, "Request Timeout", 3.0)]
    assert responses == [200]


def test_a_challenge_without_credentials_is_an_outcome() -> None:
    outcomes: list[tuple[int, str, float]] = []
    attempt = RequestAttempt(_request(HandPeer()), lambda *outcome: outcomes.append(outcome))
    attempt.response_received(_response(401), 1.0)
    assert outcomes == [(401, "Whatever", 1.0)]


def test_what_is_no_longer_wanted_is_not_tried_again() -> None:
    outcomes: list[tuple[int, str, float]] = []
    request = _request(HandPeer())
    request.authentication = Authentication(ALICE, Ids.seeded(1))
    attempt = RequestAttempt(
        request, lambda *outcome: outcomes.append(outcome), None, lambda: False
    )
    attempt.response_received(_response(401, challenge_lines(401)), 1.0)
    assert outcomes == [(401, "Whatever", 1.0)]
    assert not request.agent.outbox
