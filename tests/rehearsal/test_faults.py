from __future__ import annotations

import pytest
from pydantic import ValidationError

from telephony.rehearsal.faults import (
    NO_CONNECTION_FAULTS,
    NO_TURN_FAULTS,
    ConnectionFaults,
    TurnFaults,
)
from tests.rehearsal.driver import Driver, scenario


def turn(faults: str) -> Driver:
    return Driver(scenario(f"  - {{when: greeting, say: greeting, faults: {faults}}}"))


def test_no_faults_are_the_default():
    assert ConnectionFaults() == NO_CONNECTION_FAULTS
    assert TurnFaults() == NO_TURN_FAULTS


@pytest.mark.parametrize("wrong", [{"refuse_status": 200}, {"drop_after_ms": -1}, {"x": 1}])
def test_impossible_faults_are_refused(wrong):
    with pytest.raises(ValidationError):
        ConnectionFaults.model_validate(wrong)


def test_a_slow_first_delta():
    driver = turn("{first_delta_ms: 3000}")
    driver.send("response.create")
    driver.advance(2.9)
    assert not driver.of("response.output_audio.delta")
    driver.advance(0.2)
    assert driver.of("response.output_audio.delta")


def test_late_deltas_after_a_cancel():
    driver = turn("{late_deltas: 3}")
    driver.send("response.create")
    driver.advance(0.3)
    driver.send("response.cancel")
    late = driver.advance(5.0)
    assert [event["type"] for event in late] == ["response.output_audio.delta"] * 3
    assert late[0]["response_id"] == driver.last("response.done")["response"]["id"]


def test_late_deltas_do_not_block_the_next_response():
    driver = turn("{late_deltas: 20}")
    driver.send("response.create")
    driver.advance(0.3)
    driver.send("response.cancel")
    assert driver.kinds(driver.send("response.create"))[0] == "response.created"


def test_garbage_frames():
    driver = turn("{garbage_frames: 2}")
    driver.greet()
    assert len(driver.garbage) == 2
    assert driver.last("response.done")["response"]["status"] == "completed"


def test_duplicate_events():
    driver = turn("{duplicate_events: true}")
    driver.greet()
    deltas = driver.of("response.output_audio.delta")
    assert deltas[0] == deltas[1]
    assert len(driver.of("response.done")) == 2
    assert len(driver.of("response.created")) == 1


def test_an_error_fails_the_response():
    driver = turn("{error: {code: insufficient_quota, type: insufficient_quota}}")
    driver.greet()
    assert driver.last("error")["error"]["code"] == "insufficient_quota"
    details = driver.last("response.done")["response"]["status_details"]
    assert details["type"] == "failed"
    assert details["error"]["code"] == "insufficient_quota"


def test_stall_during_a_turn():
    driver = turn("{stall_after_ms: 200}")
    driver.send("response.create")
    driver.advance(5.0)
    assert driver.of("response.output_audio.delta")
    assert not driver.of("response.done")


def test_faults_hold_for_the_first_connections_only() -> None:
    faults = ConnectionFaults.model_validate({"connections": 2, "refuse_status": 503})
    assert [faults.of_connection(number) for number in (1, 2, 3)] == [
        faults,
        faults,
        NO_CONNECTION_FAULTS,
    ]
    endless = ConnectionFaults.model_validate({"refuse_status": 503})
    assert endless.of_connection(1000) is endless
