from __future__ import annotations

from telephony.calls.handoff import Handoff


def test_a_handoff_needs_no_description() -> None:
    assert Handoff("billing") == Handoff("billing", "")
