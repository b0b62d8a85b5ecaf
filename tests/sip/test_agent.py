"""What both sides share: tables of legs and dialogs, and how requests are answered."""

from __future__ import annotations

from telephony.base.ids import Ids
from telephony.sip.agent import Agent
from telephony.sip.config import UserAgentConfig
from telephony.sip.dialog import Dialog
from telephony.sip.events import LegEnded
from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.leg import Leg, LegState
from telephony.sip.message import read_request
from telephony.sip.transaction import ServerTransaction
from tests.sip.wire import PEER, US, HandPeer, header, tag


def _agent() -> Agent:
    return Agent(UserAgentConfig(), Ids.seeded(1))


def _transaction(agent: Agent, extra: str = "", to_tag: str = "") -> ServerTransaction:
    flow = Flow("udp", PEER, US)
    message = parse_message(HandPeer().request(extra=extra, to_tag=to_tag))
    assert isinstance(message, RawRequest)
    return agent.transactions.create_server(read_request(message, flow), flow)


def test_a_leg_ends_once_and_its_dialog_stays_until_forgotten() -> None:
    agent = _agent()
    leg = Leg("one", LegState.UP, caller=False)
    agent.legs["one"] = leg
    request = _transaction(agent).request
    agent.enter_dialog(leg, Dialog.for_uas(request, "one", "sip:p@h"))
    agent.end_leg(leg, LegEnded("one", "local"))
    agent.end_leg(leg, LegEnded("one", "remote"))
    assert agent.events == [LegEnded("one", "local")]
    assert agent.find_leg("one") is None
    assert len(agent.dialogs) == 1
    agent.forget(leg)
    agent.forget(leg)
    assert not agent.dialogs


def test_100_has_no_tag_and_returns_the_timestamp() -> None:
    agent = _agent()
    transaction = _transaction(agent, "Timestamp: 54\r\n")
    trying = agent.write(transaction, 100)
    assert (header(trying, "Timestamp"), ";tag=" in header(trying, "To")) == ("54", False)
    final = agent.write(transaction, 404)
    assert header(final, "Timestamp") == ""
    assert tag(header(final, "To")) == transaction.local_tag


def test_the_tag_of_a_request_is_kept() -> None:
    agent = _agent()
    data = agent.write(_transaction(agent, to_tag="ours"), 200)
    assert header(data, "To") == "<sip:bot@192.0.2.10>;tag=ours"


def test_refusals_are_counted_by_status() -> None:
    agent = _agent()
    agent.refuse(_transaction(agent), 481, 0.0)
    assert agent.stats.refused == {481: 1}
    assert len(agent.outbox) == 1
