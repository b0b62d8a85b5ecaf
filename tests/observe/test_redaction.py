from __future__ import annotations

import pytest

from telephony.observe.redaction import HIDDEN, mask_number, redact, redact_event


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+15555550100", "+1555***00"),
        ("15550100", "155***00"),
        ("12345", "***45"),
        ("+49 30 1234-567", "+4930***67"),
    ],
)
def test_numbers_keep_their_beginning_and_end(number: str, masked: str) -> None:
    assert mask_number(number) == masked


@pytest.mark.parametrize(
    "key", ["api_key", "OPENAI_API_KEY", "Authorization", "token", "client_secret", "password"]
)
def test_secret_keys_hide_their_value(key: str) -> None:
    assert redact(key, "whatever") == HIDDEN
    assert redact("headers", {key: "whatever"}) == {key: HIDDEN}


def test_counts_of_tokens_are_no_secret() -> None:
    assert redact("input_tokens", 1200) == 1200
    assert redact("token", None) is None


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key sk-proj-abcDEF123_456 refused", f"key {HIDDEN} refused"),
        ("ek_1234567890abcdef", HIDDEN),
        ("Authorization: Bearer abc.def-ghi", f"Authorization: Bearer {HIDDEN}"),
        ('Digest username="a", response="0123"', f"Digest {HIDDEN}"),
        ("wss://user:pass@host/x?model=m", f"wss://{HIDDEN}@host/x?model=m"),
        ("wss://host/x?key=AAAA&model=m", f"wss://host/x?key={HIDDEN}&model=m"),
        ("the Basic scenario", "the Basic scenario"),
    ],
)
def test_secrets_are_found_in_any_text(text: str, clean: str) -> None:
    assert redact("event", text) == clean
    assert redact("detail", [text]) == [clean]
    assert redact("detail", text.encode()) == clean


@pytest.mark.parametrize(
    ("key", "text", "clean"),
    [
        ("caller", "+15555550100", "+1555***00"),
        ("called", "5550100", "55***00"),
        ("called", "100", "100"),
        ("from_uri", "sip:15550100@192.168.100.200:5060", "sip:155***00@192.168.100.200:5060"),
        ("from_uri", "sip:alice@example.org", "sip:alice@example.org"),
        ("caller", "10.20.30.40", "10.20.30.40"),
        ("event", "no rule for <tel:+1-555-555-0100>", "no rule for <tel:+1555***00>"),
        ("event", "call from +15555550100 failed", "call from +1555***00 failed"),
        ("exception", "LegFacts(called='15550100')", "LegFacts(called='155***00')"),
        ("event", "listening on 192.168.100.200:5060", "listening on 192.168.100.200:5060"),
        ("seconds", "0.12345678", "0.12345678"),
        ("sip_call_id", "1234567890@10.0.0.1", "1234567890@10.0.0.1"),
        ("call", "012345678901", "012345678901"),
        ("started_at", "2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678901Z"),
        ("timestamp", "2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678901Z"),
    ],
)
def test_phone_numbers_are_masked_and_other_digits_are_not(key: str, text: str, clean: str) -> None:
    assert redact(key, text) == clean


def test_objects_become_text() -> None:
    assert redact("error", ValueError("sk-abcdefgh")) == HIDDEN


def test_the_processor_leaves_structlogs_own_keys() -> None:
    record = object()
    event = redact_event(None, "info", {"event": "x", "api_key": "k", "_record": record})
    assert event == {"event": "x", "api_key": HIDDEN, "_record": record}
