"""Recordings that the model plays word for word."""

from __future__ import annotations

import base64

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.realtime.dialect import Brief
from telephony.realtime.history import HistoryItem
from tests.realtime.live_driver import LiveDriver


def connected(**options: object) -> LiveDriver:
    driver = LiveDriver(**options)  # type: ignore[arg-type]
    driver.connect()
    driver.events()
    return driver


NOTICE = bytes(48_000)


def fixtures(driver: LiveDriver) -> list[bytes]:
    kind = "session.output_audio.fixture.play"
    return [base64.b64decode(m["audio"]) for m in driver.sent() if m["type"] == kind]


def test_the_notice_comes_first_and_the_rest_waits_for_its_end() -> None:
    driver = LiveDriver(notice=NOTICE)
    driver.model.create_response("Greet.")
    (play,) = driver.connect()
    assert base64.b64decode(play["audio"]) == NOTICE
    driver.model.add_system_text("It is noon.")
    driver.say("session.output_audio.fixture.playing", client_event_id=play["event_id"])
    assert driver.sent() == []
    driver.say("session.output_audio.fixture.played", client_event_id="another")
    assert driver.sent() == []
    driver.say("session.output_audio.fixture.played", client_event_id=play["event_id"])
    assert [kind for kind, _, _ in driver.told()] == ["commentary", "instructions"]
    driver.lose()
    assert driver.connect() == []


def test_a_notice_that_was_not_played_to_its_end_is_played_again() -> None:
    driver = LiveDriver(notice=NOTICE)
    driver.connect()
    driver.lose()
    driver.model.connection_made(driver.now)
    driver.sent()
    driver.started()
    assert fixtures(driver) == [NOTICE]


def test_a_conversation_that_goes_on_has_had_its_notice() -> None:
    history = (HistoryItem("a", "message", "user", "Hello?"),)
    driver = LiveDriver(notice=NOTICE, brief=Brief("", (), history))
    assert driver.connect() == []


def test_fixtures_follow_each_other() -> None:
    driver = connected()
    for number in range(1, 5):
        driver.model.play_fixture(bytes([number, 0]) * 100)
    driver.model.play_fixture(bytes(100))
    with pytest.raises(LocalProtocolError):
        driver.model.play_fixture(bytes(100))
    (first,) = driver.sent()
    driver.error("invalid_audio", first["event_id"])
    (second,) = driver.sent()
    assert base64.b64decode(second["audio"])[:2] == b"\x02\x00"
    driver.wait(11)
    assert len(fixtures(driver)) == 1


@pytest.mark.parametrize("size", [0, 1, 48_000 * 30 + 2])
def test_fixtures_that_can_not_be_played(size: int) -> None:
    with pytest.raises(LocalProtocolError):
        connected().model.play_fixture(bytes(size))
