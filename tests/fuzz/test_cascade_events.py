"""Whatever the language model and the speech services say, a cascade neither raises nor lies."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.speech import SpeechFailure, SpeechMark, Transcript
from telephony.realtime.cascade import messages as say
from telephony.realtime.cascade.chunker import SentenceChunker
from telephony.realtime.cascade.claude_stream import ClaudeStream
from telephony.realtime.cascade.markdown import spoken_text
from tests.realtime.cascade.driver import Driver

TYPES = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "error",
        "text",
        "tool_use",
        "thinking",
        "text_delta",
        "input_json_delta",
        "thinking_delta",
        "signature_delta",
        "overloaded_error",
    ]
)
KEYS = st.sampled_from(
    [
        "type",
        "index",
        "message",
        "delta",
        "content_block",
        "usage",
        "text",
        "partial_json",
        "id",
        "name",
        "thinking",
        "signature",
        "stop_reason",
        "error",
        "input_tokens",
        "output_tokens",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | TYPES
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5)
)
EVENTS = st.dictionaries(KEYS, JSON, max_size=6) | st.fixed_dictionaries(
    {"type": TYPES, "index": st.integers(0, 3)},
    optional={
        "delta": st.fixed_dictionaries({"type": TYPES, "text": st.text(max_size=30)}),
        "content_block": st.fixed_dictionaries({"type": TYPES, "id": st.text(max_size=3)}),
    },
)
TEXTS = st.text(max_size=40) | st.sampled_from(
    ["Hello there. ", "Well, I think so; yes. ", "**x**"]
)


@given(st.lists(EVENTS, max_size=30))
def test_no_event_raises(events: list[dict[str, Any]]) -> None:
    stream = ClaudeStream()
    for event in events:
        stream.receive(event)
    assert stream.usage.total_tokens >= 0


@given(st.binary(max_size=60))
def test_no_text_raises(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    spoken = spoken_text(text)
    assert spoken == spoken.strip()
    chunker = SentenceChunker()
    for character in text:
        chunker.push(character)
    chunker.flush()


REPORTS = st.one_of(
    st.just(("audio", b"\x10" * 320)),
    TEXTS.map(lambda text: ("transcript", text)),
    st.just(("flushed", None)),
    EVENTS.map(lambda event: ("event", event)),
    TEXTS.map(lambda text: ("words", text)),
    st.sampled_from([0, 200, 400, 401, 429, 529, 503]).map(lambda s: ("failed", s)),
    st.integers(-5, 200).map(lambda n: ("mark", n)),
    st.binary(max_size=9).map(lambda audio: ("speech", audio)),
    st.just(("spoken", None)),
    st.booleans().map(lambda fatal: ("voice_failed", fatal)),
    st.booleans().map(lambda fatal: ("ear_failed", fatal)),
    st.just(("cancel", None)),
    st.integers(-10, 3000).map(lambda ms: ("truncate", ms)),
    st.just(("ask", None)),
    st.just(("hear", None)),
    st.floats(0, 20).map(lambda s: ("wait", s)),
    st.just(("reconnect", None)),
    st.sampled_from([None, 7, "x", b"", {}]).map(lambda junk: ("junk", junk)),
)


def report(driver: Driver, kind: str, value: Any) -> None:
    generations, speaks = driver.all(say.Generate), driver.all(say.Speak)
    generation_id = generations[-1].generation_id if generations else "none"
    utterance_id = speaks[-1].utterance_id if speaks else "none"
    if kind == "hear":
        driver.speak(ms=300)
        driver.silence(400)
        return
    if kind == "wait":
        driver.wait(value)
        return
    if kind == "ask":
        driver.core.create_response("Note.")
    elif kind == "cancel":
        driver.core.cancel_response()
    elif kind == "truncate":
        driver.core.truncate_item(utterance_id, value)
    elif kind == "reconnect":
        driver.core.connection_lost(driver.now)
        driver.core.connection_made(driver.now)
    if kind in ("ask", "cancel", "truncate", "reconnect"):
        driver.drain()
        return
    failure = SpeechFailure("x", "y", fatal=bool(value))
    word = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": value}}
    driver.tell(
        {
            "audio": say.AudioHeard(),
            "transcript": say.TranscriptReceived(Transcript(str(value), True)),
            "flushed": say.TurnFlushed(),
            "event": say.ModelDelta(generation_id, value if kind == "event" else {}),
            "words": say.ModelDelta(generation_id, word if kind == "words" else {}),
            "failed": say.GenerationFailed(generation_id, value if kind == "failed" else 0, "x"),
            "mark": say.SpeechAligned(
                utterance_id, (SpeechMark(value if kind == "mark" else 0, 5.0),)
            ),
            "speech": say.SpeechAudio(utterance_id, value if kind == "speech" else b""),
            "spoken": say.SpeechFinished(utterance_id),
            "voice_failed": say.SynthesizerFailed(failure, utterance_id),
            "ear_failed": say.TranscriberFailed(failure),
            "junk": value,
        }[kind]
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(REPORTS, max_size=25))
def test_no_report_raises_and_every_request_is_one_that_the_api_takes(
    reports: list[tuple[str, Any]],
) -> None:
    driver = Driver(fillers=["One moment."])
    for kind, value in reports:
        report(driver, kind, value)
    for generation in driver.all(say.Generate):
        json.dumps(generation.body)
