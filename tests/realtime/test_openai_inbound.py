"""Server events about the session, the caller's turn and the items."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_24K, PCMA, PCMU
from telephony.realtime.events import (
    CallerIdle,
    InputCommitted,
    ItemDeleted,
    ItemTruncated,
    ModelError,
    OutputFormatChanged,
    SessionExpiring,
    SessionReady,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptFailed,
    TranscriptFinished,
    Usage,
    UsageReported,
)
from tests.realtime.driver import Driver


def connected() -> Driver:
    driver = Driver()
    driver.connect()
    driver.events()
    return driver


# The session


def test_formats_are_those_the_server_confirms() -> None:
    driver = Driver()
    driver.model.connection_made(driver.now)
    driver.session("session.updated", input_format=PCMA, output_format=L16_24K)
    ready, changed = driver.events()
    assert isinstance(ready, SessionReady)
    assert (ready.input_format, ready.output_format) == (PCMA, L16_24K)
    assert changed == OutputFormatChanged(L16_24K)
    assert driver.model.input_format == PCMA
    assert driver.model.output_format == L16_24K
    assert driver.model.stats.format_changes == 1


def test_a_beta_session_is_understood() -> None:
    driver = Driver()
    driver.model.connection_made(driver.now)
    session = {"id": "s", "input_audio_format": "g711_ulaw", "output_audio_format": "pcm16"}
    driver.raw({"type": "session.updated", "session": session})
    ready, changed = driver.events()
    assert ready == SessionReady("s", "gpt-realtime-2.1", PCMU, L16_24K)
    assert changed == OutputFormatChanged(L16_24K)


def test_a_session_that_tells_nothing_is_what_was_asked_for() -> None:
    driver = Driver()
    driver.model.connection_made(driver.now)
    driver.raw({"type": "session.updated"})
    assert driver.events() == [SessionReady("", "gpt-realtime-2.1", PCMU, PCMU)]


def test_a_change_of_format_in_mid_session_is_reported() -> None:
    driver = connected()
    driver.session("session.updated", output_format=L16_24K)
    driver.session("session.updated", output_format=L16_24K)
    assert driver.events() == [OutputFormatChanged(L16_24K)]


def test_a_new_connection_goes_back_to_the_format_asked_for() -> None:
    driver = connected()
    driver.session("session.updated", output_format=L16_24K)
    driver.model.connection_lost(driver.now)
    driver.events()
    driver.connect()
    ready, changed = driver.events()
    assert isinstance(ready, SessionReady)
    assert ready.output_format == PCMU
    assert changed == OutputFormatChanged(PCMU)


# The caller's turn


def test_the_callers_turn_is_reported() -> None:
    driver = connected()
    driver.speech_started("item_u1")
    driver.speech_stopped("item_u1")
    driver.committed("item_u1")
    assert driver.events() == [
        SpeechStarted("item_u1", 100),
        SpeechStopped("item_u1", 900),
        InputCommitted("item_u1"),
    ]


def test_idle_time_is_reported() -> None:
    driver = connected()
    kind = "input_audio_buffer.timeout_triggered"
    driver.say(kind, item_id="item_u1", audio_start_ms=5, audio_end_ms=8005)
    assert driver.events() == [CallerIdle("item_u1", 5, 8005)]


def test_what_the_caller_said_comes_at_any_time() -> None:
    driver = connected()
    prefix = "conversation.item.input_audio_transcription"
    # Before the item itself is known.
    driver.say(f"{prefix}.delta", item_id="item_u1", content_index=0, delta="what ")
    driver.committed("item_u1")
    driver.say(f"{prefix}.delta", item_id="item_u1", content_index=0, delta="tim")
    assert driver.model.history[0].text == "what tim"
    driver.user_said("What time is it?", "item_u1")
    assert driver.events() == [
        TranscriptDelta("user", "item_u1", "what "),
        InputCommitted("item_u1"),
        TranscriptDelta("user", "item_u1", "tim"),
        TranscriptFinished("user", "item_u1", "What time is it?"),
        UsageReported(Usage(billed_s=1.0), "gpt-live-transcribe"),
    ]
    assert [item.text for item in driver.model.history] == ["What time is it?"]


def test_a_failed_transcript_is_reported() -> None:
    driver = connected()
    driver.say(
        "conversation.item.input_audio_transcription.failed",
        item_id="item_u1",
        content_index=0,
        error={"type": "t", "code": "audio_unintelligible", "message": "m"},
    )
    assert driver.events() == [TranscriptFailed("item_u1", "audio_unintelligible", "m")]


# Items


def test_items_keep_the_servers_order() -> None:
    driver = connected()
    driver.committed("item_u1")
    answer = {"id": "item_a1", "type": "message", "role": "assistant", "content": []}
    driver.item_added(answer, "item_u1")
    driver.committed("item_u2", "item_a1")
    # This one was committed before, and is only now told of.
    late = {"id": "item_u0", "type": "message", "role": "user", "content": []}
    driver.item_added(late, "root")
    order = [item.item_id for item in driver.model.history]
    assert order == ["item_u0", "item_u1", "item_a1", "item_u2"]


@pytest.mark.parametrize("kind", ["conversation.item.done", "conversation.item.created"])
def test_an_items_last_word_fills_in_what_was_missing(kind: str) -> None:
    driver = connected()
    driver.committed("item_u1")
    part = {"type": "input_audio", "transcript": "hello"}
    item = {"id": "item_u1", "type": "message", "role": "user", "content": [part]}
    driver.say(kind, item=item, previous_item_id=None)
    assert driver.model.history[0].text == "hello"


def test_truncation_and_deletion_are_confirmed() -> None:
    driver = connected()
    driver.response_created()
    driver.audio(b"\x70" * 1600)
    driver.words("one two")
    driver.model.truncate_item("item_a1", 120)
    driver.events()
    kind = "conversation.item.truncated"
    driver.say(kind, item_id="item_a1", content_index=0, audio_end_ms=120)
    driver.say("conversation.item.deleted", item_id="item_a1")
    assert driver.events() == [ItemTruncated("item_a1", 120, "one"), ItemDeleted("item_a1")]
    assert driver.model.history == ()


# Errors and the unknown


def test_an_error_names_the_message_it_is_about() -> None:
    driver = connected()
    driver.error("invalid_value", "event_x")
    assert driver.events() == [
        ModelError("invalid_value", "about invalid_value", False, "event_x", True)
    ]
    assert driver.model.stats.errors == 1


def test_an_error_without_details_is_survived() -> None:
    driver = connected()
    driver.raw({"type": "error"})
    driver.raw({"type": "error", "error": "text"})
    assert [event.code for event in driver.events()] == ["unknown"] * 2  # type: ignore[union-attr]


def test_the_end_of_the_session_is_fatal_but_worth_a_retry() -> None:
    driver = connected()
    driver.error("session_expired")
    (error,) = driver.events()
    assert isinstance(error, ModelError)
    assert (error.fatal, error.retryable) == (True, True)


@pytest.mark.parametrize("code", ["insufficient_quota", "invalid_api_key", "account_deactivated"])
def test_an_empty_account_is_fatal_for_good(code: str) -> None:
    driver = connected()
    driver.error(code)
    (error,) = driver.events()
    assert isinstance(error, ModelError)
    assert (error.fatal, error.retryable) == (True, False)


def test_unknown_events_are_counted_by_type_within_bounds() -> None:
    driver = connected()
    for number in range(200):
        driver.raw({"type": f"new.event.{number}"})
        driver.raw({"type": "new.event.0"})
    driver.raw({"type": "x" * 10_000})
    stats = driver.model.stats
    assert stats.unknown == 401
    assert stats.unknown_types["new.event.0"] == 201
    assert len(stats.unknown_types) == 64
    assert max(map(len, stats.unknown_types)) <= 80
    assert driver.events() == []


def test_known_events_of_no_consequence_are_not_unknown() -> None:
    driver = connected()
    driver.say("rate_limits.updated", rate_limits=[{"name": "tokens", "remaining": 5}])
    driver.say("input_audio_buffer.cleared")
    driver.raw({"type": "conversation.created", "conversation": {}})
    assert driver.model.stats.unknown == 0
    assert driver.events() == []


@pytest.mark.parametrize("message", ["", "{", "[]", "null", '{"type":5}', "{}", b"\xff\x00"])
def test_garbage_is_counted(message: str | bytes) -> None:
    driver = connected()
    driver.model.receive_message(message, driver.now)
    assert driver.model.stats.malformed == 1
    assert driver.events() == []


# Usage and limits


def test_a_transcription_paid_by_tokens() -> None:
    driver = connected()
    driver.say(
        "conversation.item.input_audio_transcription.completed",
        item_id="item_u1",
        content_index=0,
        transcript="Hello.",
        logprobs=[{"token": "Hello", "bytes": [72], "logprob": -0.1}],
        usage={
            "type": "tokens",
            "input_tokens": 30,
            "output_tokens": 4,
            "total_tokens": 34,
            "input_token_details": {"audio_tokens": 25, "text_tokens": 5},
        },
    )
    usage = Usage(
        input_tokens=30,
        output_tokens=4,
        input_text_tokens=5,
        input_audio_tokens=25,
        output_text_tokens=4,
    )
    assert driver.events()[-1] == UsageReported(usage, "gpt-live-transcribe")


@pytest.mark.parametrize("usage", [None, {}, {"type": "duration", "seconds": 0}, {"seconds": -1}])
def test_a_transcription_without_usage_costs_nothing(usage: object) -> None:
    driver = connected()
    driver.raw(
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_u1",
            "transcript": "Hello.",
            "usage": usage,
        }
    )
    assert driver.events() == [TranscriptFinished("user", "item_u1", "Hello.")]


def test_limits_that_are_reached_are_counted() -> None:
    driver = connected()

    def limits(*remaining: int) -> None:
        driver.say(
            "rate_limits.updated",
            rate_limits=[
                {"name": name, "limit": 10, "remaining": left, "reset_seconds": 1.0}
                for name, left in zip(("requests", "tokens"), remaining, strict=True)
            ],
        )

    limits(5, 5)
    limits(0, 5)
    driver.error("rate_limit_exceeded")
    driver.response_created()
    driver.response_done(
        status="failed",
        status_details={"type": "failed", "error": {"type": "t", "code": "rate_limit_exceeded"}},
    )
    assert driver.model.stats.rate_limited == 3


def test_a_transcript_that_is_said_anew_each_time() -> None:
    driver = connected()
    kind = "conversation.item.input_audio_transcription.updated"
    for text in ("what dime", "what time is"):
        driver.raw({"type": kind, "item_id": "item_u1", "transcript": text})
    assert [item.text for item in driver.model.history] == ["what time is"]
    assert driver.events() == []


@pytest.mark.parametrize(
    "kind",
    [
        "ping",
        "input_audio_buffer.dtmf_event_received",
        "output_audio_buffer.started",
        "response.audio_timestamp.delta",
        "response.animation_viseme.delta",
    ],
)
def test_what_is_not_for_us_is_no_surprise(kind: str) -> None:
    driver = connected()
    driver.raw({"type": kind})
    assert driver.model.stats.unknown == 0


# How long a session lasts


def expiring(left_s: float, **options: float) -> tuple[Driver, float]:
    """Return a driver whose session ends ``left_s`` after now by the server's clock."""
    unix_now = 1756324625.0 - left_s
    driver = Driver(unix_time=lambda: unix_now, **options)  # type: ignore[arg-type]
    driver.connect()
    driver.events()
    return driver, driver.now


@pytest.mark.parametrize(
    ("server_s", "after_s", "left_s"),
    [
        # An hour: five minutes before its end.
        (3600.0, 3300.0, 300.0),
        # Ten minutes: a tenth of it.
        (600.0, 540.0, 60.0),
        # Two hours: when we think it is time.
        (7200.0, 3300.0, 3900.0),
    ],
)
def test_a_session_is_renewed_before_the_server_ends_it(
    server_s: float, after_s: float, left_s: float
) -> None:
    driver, start = expiring(server_s)
    driver.wait(after_s - 1)
    assert driver.events() == []
    driver.wait(1)
    (event,) = driver.events()
    assert isinstance(event, SessionExpiring)
    assert event.age_s == pytest.approx(after_s)
    assert event.left_s == pytest.approx(left_s)
    assert driver.now == start + after_s


def test_a_clock_that_is_wrong_renews_nothing() -> None:
    driver, _ = expiring(-100.0)
    driver.wait(3200.0)
    assert driver.events() == []
    driver.wait(200.0)
    (event,) = driver.events()
    assert event == SessionExpiring(pytest.approx(3300.0), None)


def test_the_next_session_has_its_own_end() -> None:
    driver, _ = expiring(600.0)
    driver.model.connection_lost(driver.now)
    driver.model.connection_made(driver.now)
    driver.sent()
    assert driver.model.next_timer() == driver.now + 10.0
    driver.raw({"type": "session.updated", "session": {"id": "s"}})
    driver.events()
    driver.wait(3300.0)
    (event,) = driver.events()
    assert event == SessionExpiring(pytest.approx(3300.0), None)


def test_a_server_need_not_say_when_the_caller_spoke() -> None:
    driver = connected()
    for kind in ("speech_started", "speech_stopped"):
        driver.raw({"type": f"input_audio_buffer.{kind}", "item_id": "item_u1"})
    assert driver.events() == [SpeechStarted("item_u1", None), SpeechStopped("item_u1", None)]


def test_a_phase_of_an_answer_is_no_surprise() -> None:
    driver = connected()
    item = {
        "id": "item_a1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "phase": "commentary",
        "content": [{"type": "output_text", "text": "One moment."}],
    }
    driver.raw({"type": "conversation.item.added", "item": item})
    assert [item.text for item in driver.model.history] == ["One moment."]
