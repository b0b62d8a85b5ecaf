"""State both directions share."""

from __future__ import annotations

import json

from telephony.audio.format import L16_16K, L16_24K, PCMU
from telephony.base.ids import Ids
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_session import OpenAISession
from telephony.realtime.openai_variants import QWEN_OMNI
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.session_qwen import QwenSessionConfig
from telephony.realtime.stats import RealtimeStats


def session() -> OpenAISession:
    made = OpenAISession(SessionConfig(), Ids.seeded(1), PCMU, PCMU, stall_s=30.0)
    made.ready = True
    return made


def test_every_control_message_can_be_referred_to() -> None:
    made = session()
    ids = [made.send("input_audio_buffer.clear") for _ in range(3)]
    assert [json.loads(message)["event_id"] for message in made.outbox] == ids
    assert len(set(ids)) == 3


def test_the_list_of_unconfirmed_items_is_bounded() -> None:
    made = session()
    for number in range(500):
        made.add_item(HistoryItem(f"i{number}", "message", "user", "x"))
    assert len(made.unacknowledged) == 64


def test_an_item_added_without_a_session_waits_for_the_replay() -> None:
    made = session()
    made.ready = False
    made.add_item(HistoryItem("i1", "message", "user", "hello"))
    assert made.outbox == []
    made.replay()
    assert json.loads(made.outbox[0])["item"]["id"] == "i1"


def test_a_reset_leaves_nothing_for_the_new_connection() -> None:
    made = session()
    made.add_item(HistoryItem("i1", "message", "user", "hello"))
    made.side_responses.add("r")
    made.reset()
    assert made.outbox == []
    assert not made.ready
    assert not made.unacknowledged
    assert not made.side_responses
    assert len(made.history) == 1


def test_unknown_types_are_counted_to_a_limit() -> None:
    stats = RealtimeStats()
    for number in range(100):
        stats.count_unknown(f"t{number}")
    assert stats.unknown == 100
    assert len(stats.unknown_types) == 64


def without_messages() -> OpenAISession:
    config = QwenSessionConfig(instructions="Be kind.")
    return OpenAISession(config, Ids.seeded(1), L16_16K, L16_24K, 30.0, variant=QWEN_OMNI)


def test_a_server_without_items_is_told_of_them_in_its_instructions() -> None:
    made = without_messages()
    made.add_item(HistoryItem("i1", "message", "user", "hello"))
    made.reset()
    assert made.instructions == "Be kind.\n\nThe conversation so far:\nThe caller: hello"
    # While the server thinks about the first instructions.
    made.add_item(HistoryItem("i2", "message", "user", "again"))
    made.ready = True
    made.replay()
    (update,) = map(json.loads, made.outbox)
    assert update["type"] == "session.update"
    assert update["session"]["instructions"].endswith("The caller: hello\n\nThe caller: again")


def test_what_a_server_is_told_has_a_bound() -> None:
    made = without_messages()
    made.ready = True
    for number in range(100):
        made.inform(f"note {number}.")
    assert "note 99." in made.instructions
    assert "note 10." not in made.instructions


def test_a_note_is_a_message_where_there_are_messages() -> None:
    made = session()
    made.inform("It rains.")
    (sent,) = map(json.loads, made.outbox)
    assert sent["item"] == {
        "type": "message",
        "role": "system",
        "content": [{"type": "input_text", "text": "It rains."}],
    }
    assert len(made.history) == 0
