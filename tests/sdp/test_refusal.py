from __future__ import annotations

from telephony.sdp.refusal import NotAcceptable


def test_the_warning_is_quoted() -> None:
    refusal = NotAcceptable(488, 399, 'a "quoted" back\\slash')
    assert refusal.warning_value == '399 telephony "a \\"quoted\\" back\\\\slash"'
    assert str(refusal) == '488: a "quoted" back\\slash'
