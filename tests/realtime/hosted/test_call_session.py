from __future__ import annotations

from typing import Any

from telephony.base.ids import Ids
from telephony.realtime.events import SessionChanged
from telephony.realtime.hosted.call_session import CallSession
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.wire import parse_object

BEFORE = SessionConfig(model="gpt-realtime-2.1", instructions="before")
AFTER = SessionConfig(model="gpt-realtime-2.1", instructions="after")


def session() -> CallSession:
    return CallSession(BEFORE, Ids.seeded(1), 30.0)


def sent(session: CallSession) -> list[dict[str, Any]]:
    return [parse_object(message) or {} for message in session.outbox]


def test_a_change_waits_for_a_connection() -> None:
    s = session()
    s.change_to(AFTER)
    assert s.outbox == []
    assert s.change is not None
    assert s.change["instructions"] == "after"
    s.ready = True
    s.change_to(AFTER)
    assert [message["type"] for message in sent(s)] == ["session.update"]


def test_answers_that_nobody_asked_for_change_nothing() -> None:
    s = session()
    s.updated()
    assert not s.refused("event_1")
    assert s.events == []


def test_two_changes_in_a_row_are_one() -> None:
    s = session()
    s.ready = True
    s.change_to(AFTER)
    s.change_to(SessionConfig(model="gpt-realtime-2.1", instructions="last"))
    s.updated()
    assert s.events == []
    s.updated()
    assert s.events == [SessionChanged(accepted=True)]
    assert s.config.instructions == "last"


def test_a_refusal_brings_back_what_stood_before_the_first_of_them() -> None:
    s = session()
    s.ready = True
    s.change_to(AFTER)
    s.change_to(SessionConfig(model="gpt-realtime-2.1", instructions="last"))
    event_id = sent(s)[-1]["event_id"]
    assert not s.refused("")
    assert s.refused(event_id)
    assert s.config.instructions == "before"
    assert s.events == [SessionChanged(accepted=False)]


def test_an_update_that_was_refused_is_not_waited_for() -> None:
    s = session()
    s.ready = True
    s.update({"type": "realtime"})
    assert not s.refused(sent(s)[-1]["event_id"])
    s.change_to(AFTER)
    first = sent(s)[-1]["event_id"]
    s.change_to(SessionConfig(model="gpt-realtime-2.1", instructions="last"))
    assert not s.refused(first)
    s.updated()
    assert s.events == [SessionChanged(accepted=True)]
