from __future__ import annotations

import base64
import json

import pytest

from telephony.audio.format import L16_24K
from telephony.base.ids import Ids
from telephony.rehearsal.client_events import strictly
from telephony.rehearsal.conversation import Conversation
from telephony.rehearsal.listening import Listener
from telephony.rehearsal.outbox import ClientError, Outbox
from telephony.rehearsal.session_fields import SessionFields
from telephony.rehearsal.settings import SessionSettings
from tests.rehearsal.driver import phrase


class Rig:
    def __init__(self, **audio_input) -> None:
        self.outbox = Outbox("t")
        self.settings = SessionSettings("sess_1", "m", 1)
        fields = {"type": "realtime", "audio": {"input": audio_input}}
        self.settings.update(strictly(SessionFields, fields))
        self.conversation = Conversation("conv_1")
        self.listener = Listener(self.outbox, self.conversation, self.settings, Ids.seeded(1))

    def append(self, audio: bytes) -> list:
        return list(self.listener.append(base64.b64encode(audio).decode()))

    def kinds(self) -> list[str]:
        return [json.loads(message)["type"] for message in self.outbox.take()]


def test_each_fact_can_be_answered_before_the_events_of_the_next():
    rig = Rig()
    audio = base64.b64encode(phrase("caller_yes", L16_24K)).decode()
    facts = rig.listener.append(audio)
    assert next(facts) is None
    assert rig.kinds() == ["input_audio_buffer.speech_started"]
    item = next(facts)
    assert item is rig.conversation[0]
    assert rig.kinds() == [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert list(facts) == []


@pytest.mark.parametrize("audio", [None, 5, "?", "AAA", "ä", "AAAA\n"])
def test_audio_that_is_not_base64_is_refused(audio):
    rig = Rig()
    with pytest.raises(ClientError):
        list(rig.listener.append(audio))
    assert rig.listener.received_ms == 0


def test_an_append_is_at_most_15_mib():
    with pytest.raises(ClientError, match="15 MiB"):
        Rig().append(bytes(15 * 1024 * 1024 + 1))


def test_appends_are_counted():
    rig = Rig(turn_detection=None)
    rig.append(bytes(4800))
    rig.append(bytes(4800))
    assert (rig.listener.stats.appends, rig.listener.stats.audio_bytes) == (2, 9600)
    assert rig.listener.received_ms == 200


def test_the_items_follow_each_other():
    rig = Rig(turn_detection=None)
    ids = []
    for _ in range(2):
        rig.append(bytes(9600))
        ids.append(rig.listener.commit().id)
    committed = [
        event
        for event in map(json.loads, rig.outbox.take())
        if event["type"] == "input_audio_buffer.committed"
    ]
    assert [event["previous_item_id"] for event in committed] == [None, ids[0]]


def test_a_commit_while_the_caller_speaks_ends_that_item():
    rig = Rig()
    audio = phrase("caller_question", L16_24K)
    half = len(audio) // 4 * 2
    rig.append(audio[:half])
    started = json.loads(rig.outbox.take()[0])
    item = rig.listener.commit()
    assert item.id == started["item_id"]
    rig.outbox.take()
    (second,) = rig.append(audio[half:])
    assert second.id != item.id


def test_transcription_is_sent_when_it_is_on():
    rig = Rig(turn_detection=None, transcription={"model": "gpt-transcribe"})
    rig.append(bytes(48000))
    item = rig.listener.commit()
    rig.outbox.take()
    rig.listener.transcribed(item, "hello")
    delta, done = map(json.loads, rig.outbox.take())
    assert (delta["delta"], done["transcript"]) == ("hello", "hello")
    assert done["usage"] == {"type": "duration", "seconds": 1.0}
    rig.listener.transcribed(item, "")
    assert rig.kinds() == ["conversation.item.input_audio_transcription.completed"]


def test_the_echo_is_what_was_said_last():
    rig = Rig(turn_detection=None)
    assert rig.listener.echo("x") is None
    rig.append(bytes(48000))
    rig.listener.commit()
    echo = rig.listener.echo("hello")
    assert echo is not None
    assert (echo.text, echo.duration_ms) == ("hello", 1000)


def test_idle_commits_the_silence():
    rig = Rig()
    rig.append(bytes(48000 * 8))
    item = rig.listener.idle(6000)
    event = json.loads(rig.outbox.take()[0])
    assert event["type"] == "input_audio_buffer.timeout_triggered"
    assert (event["audio_start_ms"], event["audio_end_ms"]) == (2000, 8000)
    assert event["item_id"] == item.id
