"""Whatever a Live server says, in whatever order, the core survives it and keeps its word."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.format import L16_24K, PCMU
from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.realtime.config_problems import InvalidSessionConfig
from telephony.realtime.delegate import DelegateAgent, DelegatedTask, read_answer
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    AudioDelta,
    ResponseFinished,
    ResponseStarted,
    ToolCallRequested,
)
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.openai_live import OpenAILive
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_context import PIECE_TOKENS, estimated_tokens, pieces
from telephony.realtime.openai_live_inbound import _READERS as READERS
from telephony.rehearsal.live.session import LiveSession
from telephony.rehearsal.scenario import shipped_scenario
from tests.realtime.live_driver import silence, sound
from tests.rehearsal.driver import VOICE

_IDS = st.sampled_from(["del_1", "del_2", "call_1", "live_1", "", "\ud800", "x" * 500])
_AUDIO = st.sampled_from(
    [
        silence(20),
        silence(1000),
        sound(20),
        sound(500),
        sound(3),
        sound(300) + silence(900) + sound(100),
        b"\x00",
        b"",
    ]
).map(lambda audio: b64encode(audio).decode())
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | _IDS
    | _AUDIO
    | st.sampled_from(
        [
            *("client", "responses", "decisions", "function_call", "mcp_approval_request"),
            *("response.output_item.done", "response.completed", "response.failed"),
            *("expired", "content", "audio/pcmu", "audio/pcm", 8000, 24000, 1e300),
            *("invalid_request_error", "insufficient_quota", "hangup"),
        ]
    )
)
_KEYS = st.sampled_from(
    [
        *("session", "audio", "format", "type", "rate", "id", "expires_at", "delta", "start_ms"),
        *("end_ms", "delegation", "target", "delegation_id", "event", "item", "call_id", "name"),
        *("arguments", "status", "response", "usage", "seconds", "reason", "error", "code"),
        *("message", "client_event_id", "input_tokens", "context_window", "offset_ms"),
    ]
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)
_WILD = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from([*READERS, "session.novelty"]),
    st.dictionaries(_KEYS, _VALUES, max_size=8),
)
_SPEECH = _AUDIO.map(lambda audio: {"type": "session.output_audio.delta", "delta": audio})
_WORDS = st.builds(
    lambda who, text, start, length: {
        "type": f"session.{who}_transcript.delta",
        "delta": text,
        "start_ms": start,
        "end_ms": start + length,
    },
    st.sampled_from(["input", "output"]),
    st.text(max_size=20),
    st.integers(-1000, 100_000),
    st.integers(-300, 300),
)
_DELEGATED = st.builds(
    lambda delegation, target: {
        "type": "session.delegation.created",
        "delegation": {"id": delegation, "type": "delegation", "target": target},
    },
    _IDS,
    st.sampled_from(["client", "responses"]),
)
_INNER = st.one_of(
    st.builds(
        lambda call: {
            "type": "response.output_item.done",
            "item": {"type": "function_call", "call_id": call, "name": "f", "arguments": "{}"},
        },
        _IDS,
    ),
    st.just({"type": "response.completed", "response": {"usage": {"input_tokens": 3}}}),
)
_BACKEND = st.builds(
    lambda delegation, inner: {
        "type": "response.event",
        "delegation_id": delegation,
        "event": inner,
    },
    _IDS,
    _INNER,
)
_EVENTS = st.one_of(_WILD, _SPEECH, _SPEECH, _WORDS, _DELEGATED, _BACKEND)
_STARTED = json.dumps({"type": "session.started", "session": {"id": "live_1"}})


def connected(**options: Any) -> OpenAILive:
    brief = Brief("", (FunctionTool(name="f"), FunctionTool(name="hangup")))
    model = OpenAILive(LiveConfig(), Ids.seeded(1), PCMU, brief, **options)
    model.connection_made(0.0)
    model.messages_to_send()
    model.receive_message(_STARTED, 0.0)
    return model


def drain(model: OpenAILive, now: float) -> list[Any]:
    """Do what a shell does after every call; everything that comes out must be sound."""
    for message in model.messages_to_send():
        sent = json.loads(message)
        assert isinstance(sent["type"], str)
        if "content" in sent:
            assert estimated_tokens(sent["content"]) <= PIECE_TOKENS
    for _ in range(20):
        due = model.next_timer()
        if due is None or due > now:
            break
        model.handle_timer(now)
    else:
        raise AssertionError("a timer is due for ever")
    return list(model.events_received())


def follow(model: OpenAILive, seen: list[Any], now: float, data: st.DataObject) -> None:
    """Command what a bridge may, at any moment."""
    action = data.draw(st.sampled_from(["", "", "", "fence", "cut", "speak", "output", "text"]))
    if action == "fence":
        model.fence(model.active_response_id)
    elif action == "cut":
        for item in model.history:
            model.truncate_item(item.item_id, data.draw(st.integers(-1, 900)))
    elif action == "speak":
        model.create_response(data.draw(st.none() | st.text(max_size=2000)))
    elif action == "text":
        model.add_system_text(data.draw(st.text(max_size=100)))
    elif action == "output":
        called = [e.call_id for e in seen if isinstance(e, ToolCallRequested)]
        try:
            model.send_tool_output(data.draw(st.sampled_from([*called, "unknown"])), "done")
        except LocalProtocolError:
            pass
    seen += drain(model, now)


@given(st.lists(_EVENTS, max_size=40), st.data())
@settings(max_examples=100, deadline=None)
def test_any_events_in_any_order(events: list[dict[str, Any]], data: st.DataObject) -> None:
    model = connected()
    seen = drain(model, 0.0)
    now = 0.0
    for event in events:
        now += data.draw(st.sampled_from([0.0, 0.02, 0.3, 1.0, 40.0]))
        model.receive_message(json.dumps(event), now)
        seen += drain(model, now)
        follow(model, seen, now, data)
    model.connection_lost(now)
    seen += drain(model, now)
    check(seen)
    called = [e.call_id for e in seen if isinstance(e, ToolCallRequested)]
    listed = [c.call_id for e in seen if isinstance(e, ResponseFinished) for c in e.tool_calls]
    assert sorted(called) == sorted(listed)
    for call_id in called:
        try:
            model.send_tool_output(call_id, "done")
        except LocalProtocolError:
            continue
    # A new session is given whatever came of it.
    model.connection_made(now)
    (start,) = (json.loads(message) for message in model.messages_to_send())
    assert start["type"] == "session.start"
    model.receive_message(_STARTED, now)
    drain(model, now)


def check(seen: list[Any]) -> None:
    """Every response begins once and ends once, with its audio in between."""
    begun: set[str] = set()
    ended: set[str] = set()
    for event in seen:
        if isinstance(event, ResponseStarted):
            assert event.response_id not in begun
            begun.add(event.response_id)
        elif isinstance(event, AudioDelta):
            assert event.response_id in begun - ended
        elif isinstance(event, ResponseFinished):
            assert event.response_id in begun - ended
            ended.add(event.response_id)
    assert begun == ended


@given(st.binary(max_size=200) | st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes(message: bytes | str) -> None:
    model = connected()
    model.receive_message(message, 1.0)
    drain(model, 1.0)


def test_huge_deltas() -> None:
    model = connected()
    minute = b64encode((sound(1000) + silence(1000)) * 30).decode()
    model.receive_message(json.dumps({"type": "session.output_audio.delta", "delta": minute}), 1.0)
    seen = drain(model, 1.0)
    assert sum(isinstance(event, ResponseStarted) for event in seen) == 30
    words = {"type": "session.output_transcript.delta", "delta": "word " * 100_000}
    model.receive_message(json.dumps(words), 1.0)
    drain(model, 10.0)
    assert all(len(item.text) <= 65_536 for item in model.history)


@given(st.lists(st.binary(max_size=2000), max_size=20))
@settings(max_examples=60, deadline=None)
def test_any_audio_is_heard_in_whole_samples(parts: list[bytes]) -> None:
    model = OpenAILive(LiveConfig(), Ids.seeded(1), L16_24K, Brief())
    model.connection_made(0.0)
    model.receive_message(_STARTED, 0.0)
    for number, part in enumerate(parts):
        delta = {"type": "session.output_audio.delta", "delta": b64encode(part).decode()}
        model.receive_message(json.dumps(delta), number * 0.02)
    heard = [e.audio for e in model.events_received() if isinstance(e, AudioDelta)]
    assert all(len(audio) % 2 == 0 for audio in heard)
    assert sum(map(len, heard)) <= sum(map(len, parts))


_WHOLE = [
    {"type": "session.started", "session": {"id": "live_1", "expires_at": 5}},
    {"type": "session.output_audio.delta", "delta": b64encode(sound(40)).decode()},
    {"type": "session.output_transcript.delta", "delta": "Yes.", "start_ms": 0, "end_ms": 200},
    {
        "type": "session.delegation.created",
        "delegation": {"id": "del_1", "type": "delegation", "target": "client"},
    },
]


def test_every_message_cut_off_at_every_byte() -> None:
    for event in _WHOLE:
        whole = json.dumps(event).encode()
        model = connected()
        for end in range(len(whole)):
            model.receive_message(whole[:end], 1.0)
        assert model.stats.malformed == len(whole)
        model.receive_message(whole, 1.0)
        drain(model, 1.0)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_messages_with_a_byte_changed(data: st.DataObject) -> None:
    model = connected()
    for event in _WHOLE:
        message = bytearray(json.dumps(event).encode())
        place = data.draw(st.integers(0, len(message) - 1))
        message[place] = data.draw(st.integers(0, 255))
        model.receive_message(message, 1.0)
        drain(model, 1.0)


@given(st.text(max_size=3000), st.integers(1, 600))
@settings(max_examples=100, deadline=None)
def test_any_text_fits_in_pieces(text: str, limit: int) -> None:
    for piece in pieces(text, limit + 1):
        assert piece
        assert estimated_tokens(piece) <= limit + 1 or len(piece) == 1


@given(st.dictionaries(_KEYS | st.sampled_from(list(LiveConfig.model_fields)), _VALUES))
@settings(max_examples=100, deadline=None)
def test_any_session_config(values: dict[str, Any]) -> None:
    try:
        config = LiveConfig.from_mapping(values)
    except InvalidSessionConfig as error:
        complaints = error.problems
    else:
        complaints = ()
        json.dumps(config.to_session(PCMU, "", [], []))
    assert all(problem.message for problem in complaints)


@given(st.text(max_size=200) | _VALUES.map(lambda value: json.dumps(value)))
@settings(max_examples=100, deadline=None)
def test_any_answer_of_a_delegate(output: str) -> None:
    answer = read_answer(output)
    assert isinstance(answer.text, str)
    assert all(isinstance(call.arguments, dict) for call in answer.calls)


@given(st.lists(st.dictionaries(st.sampled_from(["content", "role"]), _VALUES), max_size=9))
@settings(max_examples=60, deadline=None)
def test_any_reply_to_a_delegation(replies: list[dict[str, Any]]) -> None:
    task = DelegatedTask(DelegateAgent(), [FunctionTool(name="f")], [], [])
    for reply in replies:
        if task.answer is not None:
            break
        json.dumps(task.request())
        wanted = task.receive(reply)
        if wanted:
            task.take_results([(use, "x", False) for use in wanted])


# The other end


@given(st.lists(_WILD | st.dictionaries(_KEYS, _VALUES, max_size=4), max_size=15))
@settings(max_examples=60, deadline=None)
def test_any_client_of_the_rehearsal_server(events: list[dict[str, Any]]) -> None:
    session = LiveSession(shipped_scenario("default"), VOICE, Ids.seeded(1), 1000, 0.0)
    start = {"type": "session.start", "session": {"model": "gpt-live-1"}}
    for number, event in enumerate([start, *events]):
        session.receive_message(json.dumps(event), number * 0.1)
        session.handle_timer(number * 0.1)
        for message in session.messages_to_send():
            json.loads(message)


@given(st.binary(max_size=100) | st.text(max_size=100))
@settings(max_examples=60, deadline=None)
def test_any_bytes_to_the_rehearsal_server(message: bytes | str) -> None:
    session = LiveSession(shipped_scenario("default"), VOICE, Ids.seeded(1), 1000, 0.0)
    session.receive_message(message, 0.0)
    [error] = [json.loads(text) for text in session.messages_to_send()]
    assert error["type"] == "error"
