"""The beginning and the end of a Live session, errors, and what it costs."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from telephony.realtime.events import AudioDelta, ModelError, SessionExpiring, UsageReported
from tests.realtime.live_driver import LiveDriver, sound


def connected(**options: object) -> LiveDriver:
    driver = LiveDriver(**options)  # type: ignore[arg-type]
    driver.connect()
    driver.events()
    return driver


def test_the_end_of_the_session_is_told_ahead() -> None:
    driver = LiveDriver(wall_clock=lambda: 1756324625 - 600.0)
    driver.connect()
    driver.wait(539)
    assert driver.of(SessionExpiring) == []
    driver.wait(2)
    [expiring] = driver.of(SessionExpiring)
    assert expiring.left_s == pytest.approx(60)
    assert expiring.age_s == pytest.approx(540)
    driver.wait(100)
    assert driver.of(SessionExpiring) == []


def test_the_end_of_a_short_session_is_told_half_way() -> None:
    driver = LiveDriver(wall_clock=lambda: 1756324625 - 10.0)
    driver.connect()
    driver.wait(5.01)
    [expiring] = driver.of(SessionExpiring)
    assert expiring.left_s == pytest.approx(5)


def test_without_a_clock_nothing_is_known_of_the_end() -> None:
    driver = connected()
    assert driver.model.next_timer() is None


def billed(driver: LiveDriver) -> list[float]:
    return [event.usage.billed_s for event in driver.of(UsageReported)]


def test_usage_is_reported_as_it_is_added() -> None:
    driver = connected()
    for seconds in (60.0, 60.0, 121.5):
        driver.say("session.usage.updated", usage={"seconds": seconds})
    assert billed(driver) == [60.0, 61.5]
    driver.say(
        "session.closed",
        reason="close_requested",
        session=driver.described(),
        usage={"seconds": 130.0},
    )
    driver.wait(30)
    driver.lose()
    assert billed(driver) == [8.5]


def test_what_the_server_had_no_time_to_tell_is_reckoned() -> None:
    driver = connected()
    driver.say("session.usage.updated", usage={"seconds": 60.0})
    driver.events()
    driver.wait(90)
    driver.lose()
    assert billed(driver) == [30.0]
    driver.connect()
    driver.say("session.usage.updated", usage={"seconds": 5.0})
    assert billed(driver) == [5.0]


@pytest.mark.parametrize(
    ("reason", "retryable"),
    [("expired", True), ("content", False), ("connection_lost", True), ("remote_hangup", True)],
)
def test_the_ends_of_sessions(reason: str, retryable: bool) -> None:
    driver = connected()
    driver.say("session.closed", reason=reason, session=driver.described(), usage={"seconds": 1.0})
    [error] = driver.of(ModelError)
    assert (error.code, error.fatal, error.retryable) == (reason, True, retryable)
    assert not driver.model.ready


@pytest.mark.parametrize("spaced", [False, True])
@pytest.mark.parametrize("order", [("type", "delta"), ("delta", "type")])
def test_audio_is_read_alike_however_it_is_written(spaced: bool, order: tuple[str, str]) -> None:
    driver = connected()
    fields = {"type": "session.output_audio.delta", "delta": b64encode(sound(40)).decode()}
    event = {key: fields[key] for key in order}
    written = json.dumps(event, separators=None if spaced else (",", ":"))
    for message in (written, written.encode(), bytearray(written.encode())):
        driver.model.receive_message(message, driver.now)
    assert [delta.audio for delta in driver.of(AudioDelta)] == [sound(40)] * 3


@pytest.mark.parametrize("delta", ["", "%%", "AAA", "AA=="])
def test_audio_that_is_none_or_little(delta: str) -> None:
    driver = connected()
    head, spaced = '{"type":"session.output_audio.delta","delta":"', '"delta": "'
    whole = f'{head}{delta}"}}'
    driver.model.receive_message(whole.encode(), driver.now)
    driver.model.receive_message(whole.replace('"delta":"', spaced), driver.now)
    stats = driver.model.stats
    assert stats.audio_deltas == 2
    assert stats.bad_audio == (2 if delta == "%%" else 0)


def test_errors_before_the_start_are_fatal() -> None:
    driver = LiveDriver()
    driver.begin()
    driver.error("invalid_model", "event_1")
    driver.error("overloaded", type="server_error")
    refused, overloaded = driver.of(ModelError)
    assert (refused.fatal, refused.retryable, refused.event_id) == (True, False, "event_1")
    assert (overloaded.fatal, overloaded.retryable) == (True, True)


def test_errors_after_the_start_are_not() -> None:
    driver = connected()
    driver.error("unknown_parameter")
    driver.error("insufficient_quota")
    harmless, hopeless = driver.of(ModelError)
    assert not harmless.fatal
    assert (hopeless.fatal, hopeless.retryable) == (True, False)
    assert driver.model.stats.errors == 2


def test_what_is_of_no_consequence_or_unknown() -> None:
    driver = connected()
    driver.say("info", code="x", message="y")
    driver.say("session.updated", session=driver.described())
    driver.say("session.commentary.appended", start_ms=1, end_ms=1)
    driver.raw({"type": "session.novelty"})
    driver.raw({"no": "type"})
    driver.raw({"type": "session.output_audio.delta", "delta": "%%"})
    assert driver.events() == []
    stats = driver.model.stats
    assert (stats.unknown_types, stats.malformed, stats.bad_audio) == ({"session.novelty": 1}, 1, 1)
