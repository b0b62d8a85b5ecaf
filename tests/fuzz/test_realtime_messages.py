"""Whatever a server says, the core survives it and goes on saying valid things."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.realtime.config_problems import InvalidSessionConfig
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    ApprovalRequested,
    ResponseFinished,
    ResponseStarted,
    ToolCallRequested,
    UsageReported,
)
from telephony.realtime.openai_inbound import _READERS as READERS
from telephony.realtime.openai_inbound import BETA_NAMES
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.openai_remote_tools import _READERS as REMOTE_READERS
from telephony.realtime.openai_responses import _READERS as RESPONSE_READERS
from telephony.realtime.openai_variants import OPENAI_SERVERS
from telephony.realtime.prices import PRICES, cost
from telephony.realtime.tools import ToolRegistry

_TYPES = [*READERS, *RESPONSE_READERS, *REMOTE_READERS, *BETA_NAMES, "unknown.event"]
_IDS = st.sampled_from(["a", "b", "resp_1", "resp_2", "item_1", "root", "", "\ud800", "x" * 500])
_AUDIO = st.binary(max_size=700).map(lambda audio: b64encode(audio).decode())
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
            "message",
            "function_call",
            "mcp_call",
            "mcp_approval_request",
            "mcp_list_tools",
            "pcm16",
            "g711_ulaw",
            "assistant",
            "user",
            "completed",
            "cancelled",
            "failed",
            "incomplete",
            "audio/pcm",
            "audio/pcmu",
            "insufficient_quota",
            "conversation_already_has_active_response",
            "10" * 300,
        ]
    )
)
_KEYS = st.sampled_from(
    [
        "id",
        "item",
        "item_id",
        "previous_item_id",
        "response",
        "response_id",
        "call_id",
        "name",
        "arguments",
        "delta",
        "transcript",
        "text",
        "status",
        "status_details",
        "error",
        "code",
        "type",
        "event_id",
        "output",
        "usage",
        "input_tokens",
        "input_token_details",
        "metadata",
        "request",
        "session",
        "audio",
        "input",
        "format",
        "rate",
        "content",
        "role",
        "content_index",
        "audio_start_ms",
        "audio_end_ms",
        "expires_at",
        "seconds",
        "rate_limits",
        "remaining",
        "server_label",
        "input_audio_format",
        "input_audio_sampling_rate",
    ]
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)
_EVENTS = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from(_TYPES),
    st.dictionaries(_KEYS, _VALUES, max_size=8),
)


def connected(api: str = "openai_realtime") -> OpenAIRealtime:
    server = OPENAI_SERVERS[api]
    config = server.session.from_mapping({"model": "m"})
    made = OpenAIRealtimeModel(config, api, server.variant, lambda: 1e9)
    model = made.new_dialect(Brief(), PCMU, "auto", Ids.seeded(1))
    model.connection_made(0.0)
    model.receive_message('{"type":"session.updated"}', 0.0)
    return model


def drain(model: OpenAIRealtime, now: float) -> list[Any]:
    """Do what a shell does after every call; everything that comes out must be sound."""
    for message in model.messages_to_send():
        sent = json.loads(message)
        assert isinstance(sent["type"], str)
        if sent["type"] == "conversation.item.truncate":
            assert sent["audio_end_ms"] > 0
    for _ in range(20):
        due = model.next_timer()
        if due is None or due > now:
            break
        model.handle_timer(now)
    else:
        raise AssertionError("a timer is due for ever")
    return list(model.events_received())


@given(st.sampled_from(list(OPENAI_SERVERS)), st.lists(_EVENTS, max_size=25), st.data())
@settings(max_examples=120, deadline=None)
def test_any_events_in_any_order(
    api: str, events: list[dict[str, Any]], data: st.DataObject
) -> None:
    model = connected(api)
    seen = drain(model, 0.0)
    now = 0.0
    for event in events:
        now += data.draw(st.sampled_from([0.0, 1.0, 40.0]))
        model.receive_message(json.dumps(event), now)
        seen += drain(model, now)
        for item in model.history:
            model.truncate_item(item.item_id, data.draw(st.integers(-1, 100)))
        seen += drain(model, now)
    model.connection_lost(now)
    seen += drain(model, now)
    for event in seen:
        if isinstance(event, UsageReported):
            assert (cost(event.usage, PRICES["gpt-transcribe"]) or 0.0) >= 0.0
        elif isinstance(event, ApprovalRequested):
            model.answer_approval(event.approval_id, data.draw(st.booleans()))
    drain(model, now)
    started = [e.response_id for e in seen if isinstance(e, ResponseStarted)]
    finished = [e.response_id for e in seen if isinstance(e, ResponseFinished)]
    assert sorted(started) == sorted(finished)
    called = [e.call_id for e in seen if isinstance(e, ToolCallRequested)]
    listed = [c.call_id for e in seen if isinstance(e, ResponseFinished) for c in e.tool_calls]
    assert called == listed or sorted(called) == sorted(listed)
    for call_id in called:
        model.send_tool_output(call_id, "done")
    # A new connection is given whatever came of it.
    model.connection_made(now)
    model.receive_message('{"type":"session.updated"}', now)
    drain(model, now)


@given(st.binary(max_size=200) | st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes(message: bytes | str) -> None:
    model = connected()
    model.receive_message(message, 1.0)
    drain(model, 1.0)


_WHOLE = [
    {"type": "session.updated", "session": {"audio": {"output": {"format": {"type": "x"}}}}},
    {"type": "response.created", "response": {"id": "resp_1"}},
    {
        "type": "response.output_audio.delta",
        "response_id": "resp_1",
        "item_id": "item_1",
        "content_index": 0,
        "delta": b64encode(bytes(range(90))).decode(),
    },
    {
        "type": "response.done",
        "response": {
            "id": "resp_1",
            "status": "completed",
            "output": [{"type": "function_call", "id": "i", "call_id": "c", "name": "f"}],
            "usage": {"input_tokens": 5},
        },
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
        assert model.stats.malformed == len(whole)
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


def book(guests: int, names: list[str], outside: bool = False) -> str:
    return f"{guests} {names} {outside}"


@given(st.text(max_size=60) | st.builds(json.dumps, _VALUES))
@settings(max_examples=60, deadline=None)
def test_any_arguments_of_a_tool(arguments: str) -> None:
    call = ToolRegistry([book]).prepare("book", arguments)
    assert hasattr(call, "output") or call.call()


_FIELDS = {name for server in OPENAI_SERVERS.values() for name in server.session.model_fields}


@given(
    st.sampled_from(list(OPENAI_SERVERS)),
    st.dictionaries(_KEYS | st.sampled_from(sorted(_FIELDS)), _VALUES, max_size=6),
)
@settings(max_examples=120, deadline=None)
def test_any_session_config(api: str, values: dict[str, Any]) -> None:
    server = OPENAI_SERVERS[api]
    try:
        config = server.session.from_mapping(values)
    except InvalidSessionConfig as error:
        complaints = error.problems
    else:
        complaints = ()
        variant = config.variant(server.variant)
        json.dumps(config.to_session_update(*variant.formats(PCMU, "auto")))
    assert all(problem.message for problem in complaints)


@given(st.integers(1, 20), st.integers(0, 60_000))
@settings(max_examples=20, deadline=None)
def test_deltas_of_any_size(count: int, size: int) -> None:
    model = connected()
    delta = b64encode(bytes(range(256)) * (size // 256)).decode()
    for _ in range(count):
        model.receive_message(
            json.dumps(
                {
                    "type": "response.audio.delta",
                    "response_id": "resp_1",
                    "item_id": "item_1",
                    "delta": delta,
                }
            ),
            1.0,
        )
    drain(model, 1.0)
    assert model.stats.audio_bytes == count * (size // 256) * 256


_REMOTE = [
    {"type": "conversation.item.added", "item": {"id": "a", "type": "mcp_approval_request"}},
    {"type": "response.mcp_call.in_progress", "item_id": "m"},
    {"type": "response.mcp_call.completed", "item_id": "m"},
    {"type": "response.created", "response": {"id": "resp_1"}},
    {"type": "response.done", "response": {"id": "resp_1", "output": [{"type": "mcp_call"}]}},
    {"type": "mcp_list_tools.failed", "item_id": "l"},
]


@given(st.permutations(_REMOTE))
@settings(max_examples=60, deadline=None)
def test_remote_tools_in_any_order(events: list[dict[str, Any]]) -> None:
    model = connected()
    drain(model, 0.0)
    seen: list[Any] = []
    for now, event in enumerate(events):
        model.receive_message(json.dumps(event), float(now))
        seen += drain(model, float(now))
    assert len([e for e in seen if isinstance(e, ApprovalRequested)]) == 1
    sent = 0
    for now in range(6, 12):
        model.handle_timer(float(now))
        sent += sum(b"response.create" in message for message in model.messages_to_send())
    assert sent <= 1
