from __future__ import annotations

from telephony.stacks.trunk import KeepalivePolicy, RegisterPolicy, Trunk
from telephony.stacks.trunks.status import ServerHealth, TrunkStatus

POLICY = KeepalivePolicy(down_after=3, up_after=2)


def test_a_server_is_down_after_so_many_failures_in_a_row() -> None:
    health = ServerHealth()
    answers = [False, False, True, False, False, False]
    assert [health.note(answer, POLICY) for answer in answers] == [False] * 5 + [True]
    assert not health.up


def test_a_server_is_up_after_so_many_answers_in_a_row() -> None:
    health = ServerHealth(up=False)
    answers = [True, False, True, True]
    assert [health.note(answer, POLICY) for answer in answers] == [False, False, False, True]
    assert health.up


def test_a_trunk_is_up_while_one_server_is() -> None:
    status = TrunkStatus.of(Trunk("t", ("sip:a", "sip:b")))
    assert status.up
    status.servers["sip:a"].up = False
    assert status.up
    assert not status.is_server_up("sip:a")
    status.servers["sip:b"].up = False
    assert not status.up
    assert status.is_server_up("sip:elsewhere")


def test_a_trunk_that_is_to_register_is_usable_once_it_did() -> None:
    status = TrunkStatus.of(Trunk("t", ("sip:a",), register=RegisterPolicy()))
    assert status.up
    assert not status.usable
    status.registered = True
    assert status.usable
    assert TrunkStatus.of(Trunk("inbound-only")).usable
