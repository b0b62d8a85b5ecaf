"""Faults of the rehearsal's speech services come when they were ordered, once."""

from __future__ import annotations

import pytest

from telephony.base.interfaces import ModelUnavailable
from telephony.rehearsal.speech.faults import SpeechFaults


def test_sessions_are_refused_as_often_as_asked_for() -> None:
    faults = SpeechFaults(refuse_opens=2, retryable=False)
    for _ in range(2):
        with pytest.raises(ModelUnavailable) as raised:
            faults.opened()
        assert raised.value.fatal
    faults.opened()
    assert faults.opens == 3


def test_a_failure_comes_once() -> None:
    faults = SpeechFaults(fail_after=1)
    assert [faults.due(count) for count in (1, 2, 3)] == [False, True, False]
    assert not SpeechFaults().due(1000)
