"""The stream of the Live rehearsal model, frame by frame."""

from __future__ import annotations

import base64
import json

from telephony.audio.format import PCMU
from telephony.rehearsal.live.mouth import FRAME_MS, Mouth
from telephony.rehearsal.outbox import Outbox
from tests.rehearsal.driver import VOICE


def mouth() -> tuple[Mouth, Outbox]:
    outbox = Outbox("x")
    return Mouth(outbox, PCMU, 10.0), outbox


def heard(outbox: Outbox) -> bytes:
    events = [json.loads(message) for message in outbox.take()]
    return b"".join(base64.b64decode(e["delta"]) for e in events if "audio" in e["type"])


def utterance(name: str = "short_answer"):
    spoken = VOICE.say((name,), None, PCMU, FRAME_MS)
    assert spoken is not None
    return spoken


def test_frames_are_due_by_the_clock() -> None:
    speaker, outbox = mouth()
    assert speaker.next_timer() == 10.04
    speaker.handle_timer(10.039)
    assert heard(outbox) == b""
    speaker.handle_timer(10.1)
    assert heard(outbox) == PCMU.silence(640)
    assert speaker.position_ms == 80
    assert speaker.frames_sent == 2


def test_one_thing_is_said_after_another() -> None:
    speaker, outbox = mouth()
    speaker.say(utterance(), 10.0)
    speaker.say(utterance("again"), 10.0)
    for number in range(1, 200):
        speaker.handle_timer(10.0 + number * 0.04)
    audio = heard(outbox)
    first, second = audio.find(utterance().audio), audio.find(utterance("again").audio)
    assert 0 <= first < second
    assert [said.cut for said in speaker.said] == [False, False]
    assert not speaker.speaking


def test_what_has_not_begun_is_forgotten_when_it_stops() -> None:
    speaker, outbox = mouth()
    speaker.say(utterance(), 11.0)
    speaker.stop()
    for number in range(1, 100):
        speaker.handle_timer(10.0 + number * 0.04)
    assert set(heard(outbox)) == {0xFF}
    assert speaker.said == []


def test_a_few_more_frames_after_it_should_stop() -> None:
    speaker, outbox = mouth()
    speaker.say(utterance(), 10.0)
    speaker.handle_timer(10.2)
    speaker.stop(after_frames=3)
    speaker.handle_timer(11.0)
    [said] = speaker.said
    assert said.cut
    assert said.audio_ms == 8 * FRAME_MS
    assert heard(outbox).startswith(utterance().audio[: 8 * 320])
