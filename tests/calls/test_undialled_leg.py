from __future__ import annotations

import pytest

from telephony.base.dialing import DialRequest
from telephony.base.errors import LocalProtocolError
from telephony.calls.quiet_listener import QuietListener
from telephony.calls.undialled_leg import UndialledLeg


def test_it_knows_whom_to_call_and_does_nothing() -> None:
    leg = UndialledLeg(DialRequest("+15550111", caller_id="+15550100", caller_name="Ada"))
    assert (leg.facts.called, leg.facts.caller, leg.facts.caller_name) == (
        "+15550111",
        "+15550100",
        "Ada",
    )
    with pytest.raises(LocalProtocolError):
        _ = leg.media
    with pytest.raises(LocalProtocolError):
        leg.transfer("sip:a@b")
    leg.listen(QuietListener())
    for command in (leg.prepare, leg.ring, leg.progress, leg.answer, leg.hold, leg.resume):
        command()
    leg.answer_refer(603)
    leg.adopt_encoding("pcmu", 8000)
    leg.reject(480)
    leg.hangup("x")
    leg.close()
