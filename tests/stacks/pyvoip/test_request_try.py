from __future__ import annotations

from telephony.base.ids import Ids
from telephony.sip.config import UserAgentConfig
from telephony.sip.flow import Flow
from telephony.sip.message import IncomingResponse
from telephony.sip.writer import RequestParts
from tests.sip.wire import PEER, US
from tests.support.pyvoip import require_pyvoip

require_pyvoip()

from telephony.stacks.pyvoip.core import Core  # noqa: E402
from telephony.stacks.pyvoip.draft import Draft  # noqa: E402
from telephony.stacks.pyvoip.request_try import RequestTry  # noqa: E402

PARTS = RequestParts("BYE", "sip:a@b", "", (), "<sip:c>;tag=1", "<sip:d>;tag=2", "id", 4)


def outcome_of(write: object) -> tuple[list[tuple[int, str]], Core]:
    core = Core(UserAgentConfig(), Ids.seeded(1))
    outcomes: list[tuple[int, str]] = []

    def finished(status: int, reason: str, response: IncomingResponse | None, now: float) -> None:
        outcomes.append((status, reason))

    RequestTry(core, PARTS, Flow("udp", PEER, US), write, finished).begin(0.0)  # type: ignore[arg-type]
    return outcomes, core


def test_what_pyvoip_can_not_write_fails_at_once() -> None:
    def write(again: bool) -> Draft:
        raise KeyError("Contact")

    outcomes, core = outcome_of(write)
    assert outcomes == [(500, "Server Internal Error")]
    assert core.outbox == []
    assert core.pyvoip_stats.faults == {"KeyError": 1}


def test_a_network_that_refuses_it_is_503() -> None:
    outcomes, core = outcome_of(lambda again: Draft("BYE x SIP/2.0\r\n\r\n"))
    assert [outgoing.flow.remote for outgoing in core.outbox] == [PEER]
    core.transactions.transport_failed(Flow("udp", PEER, US), 0.0)
    assert outcomes == [(503, "Service Unavailable")]
    assert len(core.transactions) == 0
