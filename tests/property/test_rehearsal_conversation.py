"""What the model remembers agrees with what it sent and what the client said was heard."""

from __future__ import annotations

import base64
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.format import PCMU
from telephony.rehearsal.input_buffer import InputBuffer
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.settings import TurnDetection
from telephony.rehearsal.utterance import Voice
from tests.rehearsal.driver import Driver, phrase, scenario

VOICE = Voice(shipped_prompts())
NAMES = st.lists(
    st.sampled_from([prompt.name for prompt in shipped_prompts().spoken_by("model")]),
    min_size=1,
    max_size=3,
)
QUESTION = phrase("caller_question", PCMU)
DETECTION = TurnDetection(0.5, 300, 500, None, True, True)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 2.0), st.floats(0.0, 1.2))
def test_cancel_anywhere_then_truncate(cancel_after_s, part):
    driver = Driver(scenario("  - {when: greeting, say: [opening_hours, short_answer]}"))
    driver.send("response.create")
    driver.advance(cancel_after_s)
    driver.send("response.cancel")
    driver.advance(1.0)
    sent_bytes = sum(
        len(base64.b64decode(event["delta"])) for event in driver.of("response.output_audio.delta")
    )
    if not sent_bytes:
        return
    item = driver.conversation[0]
    assert item.audio_ms * 8 == sent_bytes
    said = item.text
    end_ms = int(item.audio_ms * part)
    place = {"item_id": item.id, "content_index": 0, "audio_end_ms": end_ms}
    (event,) = driver.send("conversation.item.truncate", **place)
    if end_ms > sent_bytes / 8 + 1:
        assert event["type"] == "error"
        assert item.text == said
    else:
        assert event["type"] == "conversation.item.truncated"
        assert item.audio_ms == end_ms
        full = VOICE.say(("opening_hours", "short_answer"), None, PCMU, 100)
        assert full is not None
        assert full.transcript.startswith(item.text)


@settings(max_examples=30, deadline=None)
@given(NAMES, st.integers(20, 500), st.lists(st.floats(0, 20_000), min_size=2, max_size=8))
def test_more_audio_never_means_fewer_words(names, delta_ms, positions):
    utterance = VOICE.say(tuple(names), None, PCMU, delta_ms)
    assert utterance is not None
    texts = [utterance.transcript_until(at) for at in sorted(positions)]
    for shorter, longer in itertools.pairwise(texts):
        assert longer.startswith(shorter)
    assert utterance.transcript_until(utterance.duration_ms) == utterance.transcript


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=20))
def test_how_audio_is_cut_changes_nothing(sizes):
    whole = InputBuffer(PCMU, DETECTION)
    expected = list(whole.append(QUESTION))
    buffer = InputBuffer(PCMU, DETECTION)
    facts = []
    at = turn = 0
    while at < len(QUESTION):
        size = sizes[turn % len(sizes)] + 40
        facts += buffer.append(QUESTION[at : at + size])
        at += size
        turn += 1
    assert facts == expected
    assert buffer.received_ms == whole.received_ms
