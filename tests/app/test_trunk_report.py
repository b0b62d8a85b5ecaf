from __future__ import annotations

import json

from telephony.app.trunk_report import lines, report
from telephony.sip.credentials import Credentials
from telephony.stacks.trunk import RegisterPolicy, Trunk
from telephony.stacks.trunks.status import TrunkStatus

TRUNK = Trunk(
    "carrier",
    ("sip:a", "sip:b"),
    credentials=Credentials("u", "secret"),
    register=RegisterPolicy(),
)


def test_a_registered_trunk() -> None:
    status = TrunkStatus.of(TRUNK)
    status.registered, status.registered_with, status.registered_until = True, "sip:a", 160.4
    status.servers["sip:b"].up = False
    status.load.take("inbound", 0.0)
    state = report(TRUNK, status, 100.0)
    assert "secret" not in json.dumps(state)
    assert (state["up"], state["registered"], state["registered_for_s"]) == (True, True, 60)
    assert state["calls"] == {"inbound": 1, "outbound": 0}
    assert lines([state]) == [
        "carrier  up    registered with sip:a for 60 s; 1 calls in, 0 out",
        "         sip:b is down",
    ]


def test_a_trunk_in_trouble_and_one_that_does_not_register() -> None:
    status = TrunkStatus.of(TRUNK)
    status.registration_error = "403 Forbidden"
    for server in status.servers.values():
        server.up = False
    states = [report(TRUNK, status, 0.0), report(Trunk("pbx"), TrunkStatus(), 0.0)]
    first, error, *_, last = lines(states)
    assert first.startswith("carrier  DOWN  NOT REGISTERED;")
    assert error.endswith("last REGISTER failed: 403 Forbidden")
    assert last == "pbx      up    does not register; 0 calls in, 0 out"
    assert lines([]) == []
