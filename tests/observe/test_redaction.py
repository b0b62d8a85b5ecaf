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
    "key",
    [
        "api_key",
        "OPENAI_API_KEY",
        "Authorization",
        "token",
        "client_secret",
        "password",
        "Proxy-Authorization",
        "proxy_authorization",
        "send_key",
        "receive_key",
        "master_key",
    ],
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
        (
            'Proxy-Authorization: Digest username="bot", realm="r", nonce="n", response="00ff"',
            f"Proxy-Authorization: Digest {HIDDEN}",
        ),
        ("authorization:NTLM TlRMTVNTUAABAAAA", f"authorization:NTLM {HIDDEN}"),
        ("Authorization: 0123456789abcdef", f"Authorization: {HIDDEN}"),
        (
            "Authorization: AKA x\r\nTo: <sip:bot@h>",
            f"Authorization: AKA {HIDDEN}\r\nTo: <sip:bot@h>",
        ),
        (f'nc=1,response="{"0a" * 16}",qop=auth', f"nc=1,response={HIDDEN},qop=auth"),
        (
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 "
            "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 FEC_ORDER=FEC_SRTP",
            f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{HIDDEN}|2^20|1:4 FEC_ORDER=FEC_SRTP",
        ),
        (
            "a=crypto:2 AEAD_AES_256_GCM inline:" + "Ab+/" * 14 + "==",
            f"a=crypto:2 AEAD_AES_256_GCM inline:{HIDDEN}",
        ),
        (
            "Identity: eyJhbGciOiJFUzI1NiJ9.eyJvcmlnIjp7InRuIjoiMSJ9fQ.c2ln-X_;ppt=shaken",
            f"Identity: {HIDDEN};ppt=shaken",
        ),
        (
            "Passport(signing_input=b'eyJhbGciOiJFUzI1NiJ9.eyJv')",
            f"Passport(signing_input=b'{HIDDEN}')",
        ),
        ("sip:alice:secret@example.org;x=y", f"sip:alice:{HIDDEN}@example.org;x=y"),
        ("<sips:a:b@h>, <sip:h:5060>", f"<sips:a:{HIDDEN}@h>, <sip:h:5060>"),
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
        ("refer_to", "15550100", "155***00"),
        ("target", "5550100", "55***00"),
        ("referred_by", "<sip:5550100@h>", "<sip:55***00@h>"),
        (
            "event",
            "Refer-To: <sip:%2B15555550100@h?Replaces=a>",
            "Refer-To: <sip:+1555***00@h?Replaces=a>",
        ),
        (
            "event",
            "P-Asserted-Identity: <tel:+15555550100>",
            "P-Asserted-Identity: <tel:+1555***00>",
        ),
        ("P-Asserted-Identity", "5550100", "55***00"),
        ("Remote-Party-ID", '"5550100" <sip:5550100@h>', '"55***00" <sip:55***00@h>'),
        ("Diversion", "<tel:5550100>;counter=1", "<tel:55***00>;counter=1"),
        ("History-Info", "<sip:5550100@10.0.0.1>;index=1.1", "<sip:55***00@10.0.0.1>;index=1.1"),
        ("contact_uri", "sip:bot@192.168.100.200:5060", "sip:bot@192.168.100.200:5060"),
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


def test_headers_of_a_message_one_by_one() -> None:
    headers = {
        "Refer-To": "<sip:5550100@h>",
        "Proxy-Authorization": "Digest username=x",
        "Identity": "eyJhbGciOiJFUzI1NiJ9.e30.c2ln;info=<https://h/x>",
    }
    assert redact("headers", headers) == {
        "Refer-To": "<sip:55***00@h>",
        "Proxy-Authorization": HIDDEN,
        "Identity": f"{HIDDEN};info=<https://h/x>",
    }
    pairs = redact("headers", [("Identity", "eyJhbGciOiJFUzI1NiJ9.e30.c2ln")])
    assert pairs == [["Identity", HIDDEN]]


@pytest.mark.parametrize(
    "piece", ["sip:a:", "eyJhbGciOi.", "inline:", "Authorization:", "+1 ", "("]
)
def test_long_text_takes_no_long_time(piece: str) -> None:
    assert redact("event", piece * 20_000)
