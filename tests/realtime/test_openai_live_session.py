"""The state of a Live session, and what waits until it may be sent."""

from __future__ import annotations

import json

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_session import LiveSession


def session(history: tuple[HistoryItem, ...] = ()) -> LiveSession:
    return LiveSession(LiveConfig(), Ids.seeded(1), PCMU, "", (), history)


def contents(live: LiveSession) -> list[str]:
    sent = [json.loads(message) for message in live.outbox]
    live.outbox.clear()
    return [message["content"] for message in sent if "content" in message]


def test_the_first_message_is_the_start_and_the_rest_waits() -> None:
    live = session()
    live.append("commentary", "early")
    live.begin()
    live.append("thinking", "later")
    assert [json.loads(m)["type"] for m in live.outbox] == ["session.start"]
    live.ready = True
    live.send_pending()
    assert contents(live) == ["early", "later"]


def test_nothing_is_sent_while_a_fixture_plays() -> None:
    live = session()
    live.begin()
    live.ready = True
    live.fixture_id = "event_1"
    live.append("thinking", "later")
    assert contents(live) == []
    live.fixture_id = ""
    live.send_pending()
    assert contents(live) == ["later"]


def test_a_delegation_does_not_outlive_its_session() -> None:
    live = session()
    live.append("commentary", "It is noon.", "del_1")
    assert live.pending[0].delegation_id == "del_1"
    live.end()
    assert live.pending[0].delegation_id is None


def test_what_waits_is_bounded() -> None:
    live = session()
    for number in range(200):
        live.append("thinking", str(number))
    assert len(live.pending) == 64
    assert live.pending[-1].content == "199"
    assert live.stats.appends_dropped == 136


def test_each_session_has_a_number() -> None:
    live = session()
    numbers = []
    for _ in range(2):
        live.begin()
        numbers.append(live.number)
        live.end()
    assert numbers == [1, 2]
    assert live.outbox == []


def test_calls_of_an_earlier_model_wait_for_their_outputs() -> None:
    call = HistoryItem("a", "function_call", call_id="c1", name="hours")
    assert session((call,)).calls.open_calls == {"c1"}
