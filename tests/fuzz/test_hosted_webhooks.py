"""Whatever comes to the webhook's door or over a sideband, nothing raises."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.realtime.hosted.client_tokens import read_token
from telephony.realtime.hosted.control import ControlAnswer
from telephony.realtime.hosted.incoming import Invites, read_event
from telephony.realtime.hosted.sideband import OpenAISideband
from telephony.realtime.hosted.webhook import WebhookGate, WebhookHeaders, WebhookSecret
from telephony.realtime.session_config import SessionConfig
from telephony.stacks.hosted_facts import facts_of_hosted
from telephony.stacks.numbers import NumberPlan

TEXTS = st.text(max_size=40) | st.sampled_from(
    ["rtc_1", "<sip:+15550199@x>;tag=a", '"', "<", "tel:", "v1,", "\udcff", "1750287078"]
)
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
KINDS = st.sampled_from(
    ["realtime.call.incoming", "live.transport.incoming", "live.call.incoming", "other"]
)
HEADERS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(
                ["From", "To", "Call-ID", "Diversion", "History-Info", "Privacy", "X"]
            )
            | TEXTS,
            "value": VALUES | TEXTS,
        }
    )
    | VALUES,
    max_size=8,
)
DATA = st.fixed_dictionaries(
    {},
    optional={
        "call_id": VALUES | st.just("rtc_1"),
        "session_id": VALUES | st.just("live_1"),
        "type": VALUES | st.just("sip"),
        "sip_headers": HEADERS | VALUES,
        "sip_media_security": VALUES,
    },
)
GATE = WebhookGate([WebhookSecret.read("secret"), WebhookSecret.read("whsec_AAAA")])


@given(st.binary(max_size=200))
def test_bytes(body: bytes) -> None:
    read_event(body)
    ControlAnswer.read(500, body)
    read_token("client_secret", body, 60, 0.0)
    read_token("auth_token", body, 60, 0.0)


@given(KINDS, DATA | VALUES)
def test_events(kind: str, data: Any) -> None:
    event = read_event(json.dumps({"type": kind, "data": data}).encode())
    if event.call is None:
        return
    facts = facts_of_hosted(event.call, "openai", NumberPlan(region="DE"), ["pai", "rpid", "from"])
    assert isinstance(facts.called, str)
    assert Invites().add(event.call, 0.0)[1]


@given(TEXTS, TEXTS, TEXTS, st.binary(max_size=50))
def test_headers(webhook_id: str, timestamp: str, signature: str, body: bytes) -> None:
    verdict = GATE.receive(WebhookHeaders(webhook_id, timestamp, signature), body, 1_750_287_078)
    assert verdict not in ("accepted", "duplicate")


SIDEBAND_KINDS = st.sampled_from(
    [
        "session.created",
        "session.updated",
        "input_audio_buffer.dtmf_event_received",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "output_audio_buffer.cleared",
        "response.created",
        "response.done",
        "response.output_audio.delta",
        "conversation.item.added",
        "conversation.item.truncated",
        "error",
    ]
)


@given(
    st.lists(
        st.tuples(
            SIDEBAND_KINDS,
            st.dictionaries(
                st.sampled_from(["event", "response_id", "response", "session", "item", "error"]),
                VALUES,
                max_size=4,
            ),
        ),
        max_size=8,
    )
)
def test_sidebands(messages: list[tuple[str, dict[str, Any]]]) -> None:
    dialect = OpenAISideband(SessionConfig(), Ids.seeded(1), "rtc_1", held=True)
    dialect.connection_made(0.0)
    for number, (kind, fields) in enumerate(messages):
        dialect.receive_message(json.dumps({"type": kind, **fields}), float(number))
        dialect.events_received()
        dialect.messages_to_send()
    dialect.connection_lost(9.0)
    dialect.connection_made(10.0)
    dialect.messages_to_send()
    for _ in range(4):
        due = dialect.next_timer()
        if due is not None:
            dialect.handle_timer(max(due, 10.0))
            dialect.events_received()
