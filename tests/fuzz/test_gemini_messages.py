"""Whatever a Gemini server or client says, the other side survives it and stays sound."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.realtime.config_problems import InvalidSessionConfig
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    AudioDelta,
    ResponseFinished,
    ResponseStarted,
    ToolCallRequested,
    ToolCallsCancelled,
)
from telephony.realtime.gemini_config import GeminiConfig, VertexConfig
from telephony.realtime.gemini_content import _READERS as CONTENT_READERS
from telephony.realtime.gemini_inbound import _READERS as READERS
from telephony.realtime.gemini_live import GeminiLive
from telephony.realtime.gemini_setup import setup_of
from telephony.realtime.history import carried_over
from telephony.rehearsal.gemini.grants import Handles
from telephony.rehearsal.gemini.model_session import GeminiSession, Place
from tests.rehearsal.driver import VOICE
from tests.rehearsal.gemini.driver import played

_CONTENT_KEYS = [key for key, _ in CONTENT_READERS]


def _snake(key: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in key)


_NAMES = [
    *READERS,
    *_CONTENT_KEYS,
    "parts",
    "inlineData",
    "mimeType",
    "data",
    "text",
    "thought",
    "finished",
    "functionCalls",
    "id",
    "ids",
    "name",
    "args",
    "newHandle",
    "resumable",
    "timeLeft",
    "interactionStatus",
    "turnCompleteReason",
    "promptTokenCount",
    "promptTokensDetails",
    "modality",
    "tokenCount",
    "voiceActivityType",
    "audioOffset",
]
_KEYS = st.sampled_from([*_NAMES, *map(_snake, _NAMES)]) | st.text(max_size=8)
_AUDIO = st.binary(max_size=700).map(lambda audio: b64encode(audio).decode())
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | _AUDIO
    | st.sampled_from(
        [
            "audio/pcm;rate=24000",
            "audio/pcm;rate=8001",
            "call-1",
            "call-2",
            "book",
            "IDLE",
            "IN_PROGRESS",
            "RESPONSE_REJECTED",
            "ACTIVITY_START",
            "10s",
            "\ud800",
            "1" * 400,
        ]
    )
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)
_GARBAGE = st.dictionaries(_KEYS, _VALUES, max_size=4)


def _sound(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


_PART = st.one_of(
    _AUDIO.map(lambda data: {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}),
    st.just({"text": "Hm.", "thought": True}),
    st.just({"text": "Hello."}),
)
_TRUE = st.just(True)
_WORDS = st.sampled_from([{"text": "word "}, {"text": "", "finished": True}])
_CONTENT = _sound(
    modelTurn=st.lists(_PART, max_size=4).map(lambda parts: {"parts": parts}),
    inputTranscription=_WORDS,
    outputTranscription=_WORDS,
    interimInputTranscription=_WORDS,
    interrupted=_TRUE,
    generationComplete=_TRUE,
    turnComplete=_TRUE,
    interactionStatus=st.sampled_from(["IDLE", "IN_PROGRESS"]),
)
_CALL_IDS = st.sampled_from(["call-1", "call-2", "call-3"])
_CALLS = st.lists(_CALL_IDS.map(lambda i: {"id": i, "name": "book", "args": {}}), max_size=3)
_SOUND = st.one_of(
    _CONTENT.map(lambda content: {"serverContent": content}),
    _CALLS.map(lambda calls: {"toolCall": {"functionCalls": calls}}),
    st.lists(_CALL_IDS, max_size=2).map(lambda ids: {"toolCallCancellation": {"ids": ids}}),
    st.just({"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}}),
    st.just({"usageMetadata": {"promptTokenCount": 3}}),
    st.just({"goAway": {"timeLeft": "3s"}}),
    st.just({"setupComplete": {}}),
)
_MESSAGES = st.one_of(_SOUND, _SOUND, _GARBAGE)


def connected(config: GeminiConfig | None = None) -> GeminiLive:
    model = GeminiLive(config or GeminiConfig(), Brief(), Ids.seeded(1))
    model.connection_made(0.0)
    model.receive_message('{"setupComplete":{}}', 0.0)
    return model


def drain(model: GeminiLive, now: float) -> list[Any]:
    """Do what a shell does after every call; everything that comes out must be sound."""
    for _ in range(20):
        due = model.next_timer()
        if due is None or due > now:
            break
        model.handle_timer(now)
    else:
        raise AssertionError("a timer is due for ever")
    for message in model.messages_to_send():
        sent = json.loads(message)
        assert len(sent) == 1
        for turn in sent.get("clientContent", {}).get("turns", ()):
            assert turn["role"] in ("user", "model")
            assert all(part["text"] for part in turn["parts"])
    return list(model.events_received())


def command(model: GeminiLive, name: str, now: float) -> None:
    if name == "ask":
        model.create_response("Ask.")
    elif name == "go on":
        model.create_response()
    elif name == "cancel":
        model.cancel_response()
    elif name == "text":
        model.add_user_text("1")
    elif name == "turn":
        model.begin_input()
        model.append_message(bytes(64))
        model.commit_input()
    elif name == "drop":
        model.connection_lost(now)
        model.connection_made(now)
        model.receive_message(b'{"setup_complete":{}}', now)


_COMMANDS = st.sampled_from(["", "", "ask", "go on", "cancel", "text", "turn", "drop"])
_CONFIGS = st.sampled_from(
    [
        GeminiConfig(),
        GeminiConfig(functions="blocking", session_resumption=False),
        GeminiConfig(turn_detection=None),
    ]
)


@given(st.lists(st.tuples(_MESSAGES, _COMMANDS), max_size=25), _CONFIGS, st.data())
@settings(max_examples=150, deadline=None)
def test_any_messages_in_any_order(
    steps: list[tuple[dict[str, Any], str]], config: GeminiConfig, data: st.DataObject
) -> None:
    model = connected(config)
    seen = drain(model, 0.0)
    now = 0.0
    for message, name in steps:
        now += data.draw(st.sampled_from([0.0, 0.5, 3.0, 40.0]))
        model.receive_message(json.dumps(message).encode(), now)
        seen += drain(model, now)
        command(model, name, now)
        for item in model.history:
            model.truncate_item(item.item_id, data.draw(st.integers(-1, 100)))
        seen += drain(model, now)
    model.connection_lost(now)
    seen += drain(model, now)
    started = [e.response_id for e in seen if isinstance(e, ResponseStarted)]
    finished = [e.response_id for e in seen if isinstance(e, ResponseFinished)]
    assert started == finished
    assert len(set(started)) == len(started)
    assert model.active_response_id == ""
    called = [e.call_id for e in seen if isinstance(e, ToolCallRequested)]
    listed = [c.call_id for e in seen if isinstance(e, ResponseFinished) for c in e.tool_calls]
    assert called == listed
    assert len(set(called)) == len(called)
    cancelled = {i for e in seen if isinstance(e, ToolCallsCancelled) for i in e.call_ids}
    assert cancelled <= set(called)
    for call_id in called:
        model.send_tool_output(call_id, "done")
    # A new connection, and a new session, are given whatever came of it.
    model.connection_made(now)
    model.receive_message('{"setupComplete":{}}', now)
    drain(model, now)
    other = GeminiLive(config, Brief("", (), carried_over(model.history)), Ids.seeded(2))
    other.connection_made(now)
    other.receive_message('{"setupComplete":{}}', now)
    drain(other, now)


@given(st.lists(st.tuples(_SOUND, st.sampled_from(["", "cancel", "ask"])), max_size=25))
@settings(max_examples=100, deadline=None)
def test_nothing_of_a_fenced_response_is_heard(
    steps: list[tuple[dict[str, Any], str]],
) -> None:
    model = connected()
    fenced: set[str] = set()
    for message, name in steps:
        model.receive_message(json.dumps(message), 1.0)
        for event in drain(model, 1.0):
            assert not (isinstance(event, AudioDelta) and event.response_id in fenced)
        if name == "cancel" and model.active_response_id:
            fenced.add(model.active_response_id)
        command(model, name, 1.0)


@given(st.binary(max_size=200) | st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes(message: bytes | str) -> None:
    model = connected()
    model.receive_message(message, 1.0)
    drain(model, 1.0)


_BLOB = {"mimeType": "audio/pcm;rate=24000", "data": b64encode(bytes(range(90))).decode()}
_WHOLE = [
    {"setupComplete": {"sessionId": "s"}},
    {"serverContent": {"modelTurn": {"parts": [{"inlineData": _BLOB}, {"text": "x"}]}}},
    {"toolCall": {"functionCalls": [{"id": "c", "name": "f", "args": {"a": [1]}}]}},
    {"serverContent": {"turnComplete": True}, "usageMetadata": {"promptTokenCount": 5}},
]


def test_every_message_cut_off_at_every_byte() -> None:
    for message in _WHOLE:
        whole = json.dumps(message).encode()
        model = connected()
        for end in range(len(whole)):
            model.receive_message(whole[:end], 1.0)
        assert model.stats.malformed == len(whole)
        model.receive_message(whole, 1.0)
        assert model.stats.malformed == len(whole)
        drain(model, 1.0)


def test_huge_and_deep_messages() -> None:
    model = connected()
    audio = b64encode(bytes(6_000_000)).decode()
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": audio}}
    model.receive_message(
        json.dumps({"serverContent": {"modelTurn": {"parts": [part] * 2}}}).encode(), 1.0
    )
    deltas = [e for e in drain(model, 1.0) if isinstance(e, AudioDelta)]
    assert [len(delta.audio) for delta in deltas] == [6_000_000] * 2
    words = {"outputTranscription": {"text": "x" * 1_000_000}}
    model.receive_message(json.dumps({"serverContent": words}), 1.0)
    assert max(len(item.text) for item in model.history) <= 65_536
    for depth in (50, 900, 100_000):
        model.receive_message('{"serverContent":' * depth + "1" + "}" * depth, 1.0)
    calls = [{"id": str(n), "name": "f"} for n in range(2000)]
    model.receive_message(json.dumps({"toolCall": {"functionCalls": calls}}), 1.0)
    drain(model, 1.0)


_FIELDS = st.sampled_from([*VertexConfig.model_fields, "level", "language_codes", "category"])


@given(
    st.dictionaries(_FIELDS, _VALUES | st.sampled_from(["gemini-3.8-live", "low", {}]), max_size=8)
)
@settings(max_examples=80, deadline=None)
def test_any_session_config(values: dict[str, Any]) -> None:
    for kind in (GeminiConfig, VertexConfig):
        try:
            config = kind.from_mapping(values)
        except InvalidSessionConfig as error:
            complaints = error.problems
        else:
            complaints = ()
            json.dumps(setup_of(config, "", ()))
        assert all(problem.message for problem in complaints)


# The far end


_CLIENT_NAMES = [
    "setup",
    "clientContent",
    "realtimeInput",
    "toolResponse",
    "contextUpdate",
    "model",
    "generationConfig",
    "tools",
    "turns",
    "role",
    "turnComplete",
    "audio",
    "activityStart",
    "activityEnd",
    "audioStreamEnd",
    "functionResponses",
    "scheduling",
    *_NAMES,
]
_CLIENT_KEYS = st.sampled_from([*_CLIENT_NAMES, *map(_snake, _CLIENT_NAMES)])
_CLIENT_VALUES = st.recursive(
    _SCALARS | st.sampled_from(["user", "model", "SILENT", {}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_CLIENT_KEYS, inner, max_size=4),
    max_leaves=10,
)
_CLIENT_SOUND = st.sampled_from(
    [
        {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "x"}]}]}},
        {"client_content": {"turn_complete": True}},
        {"realtimeInput": {"text": "x"}},
        {"realtime_input": {"audio": {"data": "AAAA", "mime_type": "audio/pcm;rate=8000"}}},
        {"realtimeInput": {"audioStreamEnd": True}},
        {"toolResponse": {"functionResponses": []}},
        {"contextUpdate": {}},
    ]
)
_CLIENT_MESSAGES = _CLIENT_SOUND | st.dictionaries(_CLIENT_KEYS, _CLIENT_VALUES, max_size=2)
_SETUP = {"setup": {"model": "models/gemini-3.8-live", "sessionResumption": {}}}


@given(st.lists(_CLIENT_MESSAGES | st.binary(max_size=40), max_size=12), st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_client(messages: list[dict[str, Any] | bytes], prepared: bool) -> None:
    ids = Ids.seeded(1)
    scenario = played("  - {when: greeting, say: you_said}\n  - {when: any, say: you_said}\n")
    session = GeminiSession(scenario, VOICE, ids, Handles(ids), Place(), 0.0)
    now = 0.0
    for message in [*([_SETUP] if prepared else []), *messages]:
        data = message if isinstance(message, bytes) else json.dumps(message)
        session.receive_message(data, now)
        now += 0.5
        due = session.next_timer()
        if due is not None and due <= now:
            session.handle_timer(now)
        for work in session.recognitions_to_do():
            session.transcript_ready(work.item_id, "x", now)
        for text in session.messages_to_send():
            json.loads(text)
    if session.ending is not None:
        assert session.ending.close_code in (1000, 1007, 1008, 1011)
