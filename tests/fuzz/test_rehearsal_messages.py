"""Nothing a client sends may break a session or the server; each mistake is one error event."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.errors import ConfigError
from telephony.base.ids import Ids
from telephony.rehearsal.model_session import ModelSession
from telephony.rehearsal.scenario import SCENARIO_FOLDER, parse_scenario, shipped_scenario
from telephony.rehearsal.server_variant import SERVER_VARIANTS
from tests.rehearsal.driver import VOICE, Driver

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KINDS = st.sampled_from(
    [
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.create",
        "conversation.item.retrieve",
        "conversation.item.delete",
        "conversation.item.truncate",
        "response.create",
        "response.cancel",
    ]
)
KEYS = st.sampled_from(
    [
        *("event_id", "session", "audio", "item", "item_id", "previous_item_id", "content_index"),
        *("audio_end_ms", "response", "response_id", "type", "input", "output", "tools", "format"),
        *("turn_detection", "voice", "role", "content", "call_id", "instructions", "metadata"),
        *("approve", "approval_request_id", "server_label", "modalities", "function", "rate"),
        *("input_audio_format", "output_audio_format", "input_audio_transcription", "text"),
    ]
)
OBJECTS = st.recursive(
    SCALARS | st.sampled_from(["realtime", "audio/pcmu", "server_vad", "message", "user"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(KINDS, st.dictionaries(KEYS, OBJECTS, max_size=4)), max_size=6))
def test_any_fields_in_any_order(messages):
    driver = Driver()
    for kind, fields in messages:
        driver.send_raw(json.dumps({**fields, "type": kind}))
        driver.advance(0.05)
    driver.advance(1.0)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(SERVER_VARIANTS)),
    st.lists(st.tuples(KINDS | VALUES, st.dictionaries(KEYS, OBJECTS, max_size=4)), max_size=6),
)
def test_any_fields_at_any_server(name, messages):
    ids = Ids.seeded(1)
    session = ModelSession(
        shipped_scenario("default"), VOICE, ids, "m", 1, 0.0, None, SERVER_VARIANTS[name].dialect()
    )
    for kind, fields in messages:
        session.receive_message(json.dumps({**fields, "type": kind}), 0.0)
        session.handle_timer(0.1)
    for message in session.messages_to_send():
        json.loads(message)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60), VALUES.map(json.dumps)))
def test_any_frame(message):
    driver = Driver()
    events = driver.send_raw(message)
    assert [event["type"] for event in events] == ["error"]


DEEP = '{"type":"session.update","session":' + "[" * 50_000


def test_nesting_without_end():
    driver = Driver()
    (event,) = driver.send_raw(DEEP)
    assert event["type"] == "error"


UPDATE = json.dumps(
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "tools": [{"type": "function", "name": "f", "parameters": {}}],
            "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.5}}},
        },
    }
)


def test_a_message_cut_or_changed_at_every_byte():
    driver = Driver()
    for at in range(len(UPDATE)):
        driver.send_raw(UPDATE[:at])
        driver.send_raw(UPDATE[:at] + "\x00" + UPDATE[at + 1 :])
        driver.send_raw(UPDATE[:at].encode() + b"\xff" + UPDATE[at + 1 :].encode())
    assert driver.greet()["response"]["status"] == "completed"


DEFAULT = (SCENARIO_FOLDER / "default.yaml").read_bytes()


def read_or_refuse(text: str | bytes) -> None:
    with contextlib.suppress(ConfigError):
        parse_scenario(text, "s.yaml")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(DEFAULT) - 1), st.binary(min_size=1, max_size=3))
def test_a_scenario_with_a_changed_byte_is_read_or_refused(at, garbage):
    read_or_refuse(DEFAULT[:at] + garbage + DEFAULT[at + 1 :])


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_any_data_as_a_scenario(value):
    read_or_refuse(json.dumps(value))
