from __future__ import annotations

import pytest

from telephony.rehearsal.outbox import ClientError
from telephony.rehearsal.settings import response_settings
from tests.rehearsal.driver import Driver, scenario

TURNS = "  - {when: any, say: short_answer}\n  - {when: greeting, say: greeting}\n"


def start(driver: Driver, **response):
    driver.send("response.create", response=response)
    return driver.session.speaker


def test_one_response_writes_to_the_conversation():
    driver = Driver(scenario(TURNS))
    speaker = start(driver)
    with pytest.raises(ClientError) as error:
        speaker.start(response_settings(driver.session.settings, None), None)
    assert error.value.code == "conversation_already_has_active_response"
    driver.advance(5.0)
    assert speaker.active is None
    assert speaker.next_timer() is None


def test_responses_beside_the_conversation_run_in_parallel():
    driver = Driver(scenario(TURNS))
    start(driver, conversation="none", input=[])
    start(driver, conversation="none", input=[])
    start(driver)
    driver.advance(5.0)
    statuses = [event["response"]["status"] for event in driver.of("response.done")]
    assert statuses == ["completed"] * 3
    assert len(driver.conversation) == 1


def test_one_beside_the_conversation_can_be_cancelled_by_its_id():
    driver = Driver(scenario(TURNS))
    start(driver, conversation="none", input=[])
    beside = driver.last("response.created")["response"]["id"]
    start(driver)
    driver.send("response.cancel", response_id=beside)
    cancelled = driver.last("response.done")["response"]
    assert (cancelled["id"], cancelled["status"]) == (beside, "cancelled")
    assert driver.session.speaker.active is not None


def test_interrupting_spares_what_is_beside_the_conversation():
    driver = Driver(scenario(TURNS))
    speaker = start(driver, conversation="none", input=[])
    speaker.interrupt(driver.now)
    start(driver)
    speaker.interrupt(driver.now)
    driver.advance(5.0)
    statuses = [event["response"]["status"] for event in driver.of("response.done")]
    assert statuses == ["cancelled", "completed"]


def test_quiet_is_when_the_client_has_played_everything():
    driver = Driver(scenario(TURNS))
    speaker = start(driver)
    begun = driver.now + 0.12
    driver.advance(2.0)
    spoken_s = driver.conversation[0].audio_ms / 1000
    assert speaker.quiet_at == pytest.approx(begun + spoken_s)
    start(driver)
    assert speaker.quiet_at is None


def test_a_cancelled_response_leaves_no_quiet_time():
    driver = Driver(scenario(TURNS))
    speaker = start(driver)
    driver.advance(0.3)
    driver.send("response.cancel")
    assert speaker.quiet_at is None
