"""State that both directions of a Gemini session share."""

from __future__ import annotations

from telephony.audio.format import L16_24K
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief
from telephony.realtime.events import ItemDeleted, ItemTruncated, ResponseFinished, ResponseStarted
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_session import GO_ON, GeminiSession
from telephony.realtime.history import HistoryItem
from telephony.realtime.responses import ResponseRequest
from tests.realtime.gemini_driver import SECOND, Driver, asked


def session() -> GeminiSession:
    made = GeminiSession(GeminiConfig(), Brief(), Ids.seeded(1), 30.0)
    made.reset(0.0)
    made.ready = True
    made.gate.ready()
    return made


def test_a_response_begins_and_ends_once() -> None:
    subject = session()
    response_id = subject.begin_response(1.0)
    assert subject.begin_response(1.0) == response_id
    subject.finish_response("completed")
    started, finished = subject.events
    assert started == ResponseStarted(response_id)
    assert finished == ResponseFinished(response_id, "completed")
    assert subject.begin_response(2.0) != response_id


def test_a_request_is_sent_with_what_waits_to_be_told() -> None:
    subject = session()
    subject.tell(HistoryItem("i", "message", "user", "One."))
    subject.ask(ResponseRequest("", {"text": "Two."}))
    (message,) = subject.outbox
    assert b"One." in message
    assert b"Two." in message
    assert subject.pending == []
    subject.ask(None)
    assert len(subject.outbox) == 1


def test_what_is_told_alone_waits_for_the_end_of_the_turn() -> None:
    subject = session()
    subject.begin_response(1.0)
    subject.tell(HistoryItem("i", "message", "user", "One."))
    subject.flush_pending()
    subject.finish_response("completed", turn_goes_on=True)
    subject.flush_pending()
    assert subject.outbox == []
    subject.end_turn()
    subject.flush_pending()
    assert len(subject.outbox) == 1


def test_fenced_speech_is_cut_to_what_was_passed_on() -> None:
    subject = session()
    subject.begin_response(1.0)
    item = subject.spoken_item(1.0)
    item.append_text("one two three four")
    subject.audio.count(item.item_id, L16_24K.frame_bytes(1000))
    subject.gate.fence(item.response_id)
    subject.finish_response("cancelled")
    assert subject.events[-1] == ItemDeleted(item.item_id)
    subject.truncate(item, 0)
    assert subject.events[-1] == ItemTruncated(item.item_id, 0, "")


def test_a_handle_stands_for_what_was_told() -> None:
    subject = session()
    subject.history.place(HistoryItem("known", "message", "user", "One."))
    subject.tell(HistoryItem("waits", "message", "user", "Two."))
    subject.keep_handle("h")
    subject.lost(5.0)
    subject.reset(6.0)
    assert subject.handle_used
    subject.take_over()
    assert [item.item_id for item in subject.pending] == ["waits"]


def test_a_turn_that_was_ended_on_a_lost_connection_is_asked_about_on_the_next() -> None:
    driver = Driver(GeminiConfig(turn_detection=None))
    driver.connect()
    driver.model.begin_input()
    driver.model.commit_input()
    assert len(driver.sent()) == 2
    driver.lose()
    driver.connect()
    assert driver.sent() == [asked(GO_ON)]
    driver.audio(SECOND)
    assert len(driver.of(ResponseStarted)) == 1
