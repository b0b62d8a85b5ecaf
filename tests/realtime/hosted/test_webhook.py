from __future__ import annotations

import base64

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from openai.lib._webhooks import webhook_signature_matches

from telephony.realtime.hosted.webhook import WebhookGate, WebhookHeaders, WebhookSecret

NOW = 1_750_287_078
BODY = b'{"type":"realtime.call.incoming","data":{"call_id":"rtc_1"}}'
CODED = "whsec_" + base64.b64encode(b"the secret of this test").decode()


def signed(
    secret: str = CODED, *, webhook_id: str = "wh_1", at: int = NOW, body: bytes = BODY
) -> WebhookHeaders:
    signature = WebhookSecret.read(secret).sign(webhook_id, str(at), body)
    return WebhookHeaders(webhook_id, str(at), signature)


def gate(*secrets: str, **options: int) -> WebhookGate:
    return WebhookGate([WebhookSecret.read(s) for s in secrets or (CODED,)], **options)


@pytest.mark.parametrize("secret", [CODED, "no prefix at all", "plain-ascii"])
def test_what_we_sign_the_vendor_accepts(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai.lib._webhooks.time.time", lambda: float(NOW))
    headers = signed(secret)
    wire = {
        "webhook-id": headers.webhook_id,
        "webhook-timestamp": headers.timestamp,
        "webhook-signature": headers.signature,
    }
    client = OpenAI(api_key="any", webhook_secret=secret)
    client.webhooks.verify_signature(BODY, wire)
    event = client.webhooks.unwrap(BODY, wire)
    assert event.type == "realtime.call.incoming"
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.verify_signature(BODY + b" ", wire)


@pytest.mark.parametrize("secret", [CODED, "no prefix at all"])
def test_what_the_vendors_algorithm_signs_we_accept(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK only verifies: a signature that it takes must be one that we take, and no other."""
    monkeypatch.setattr("openai.lib._webhooks.time.time", lambda: float(NOW))
    good = signed(secret)
    flipped = good.signature[:-2] + ("A=" if good.signature[-2] != "A" else "B=")
    for signature in (good.signature, flipped, f"v1,wrong {good.signature}", "v1,wrong"):
        wire = {
            "webhook-id": "wh_1",
            "webhook-timestamp": str(NOW),
            "webhook-signature": signature,
        }
        theirs = webhook_signature_matches(BODY, wire, secret=secret, tolerance=300)
        verdict = gate(secret).receive(WebhookHeaders("wh_1", str(NOW), signature), BODY, NOW)
        assert (verdict == "accepted") is theirs


def test_an_example_by_hand() -> None:
    # From the specification of Standard Webhooks.
    secret = WebhookSecret.read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body) == expected


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_not base64!"])
def test_secrets_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"secret is empty|no base64"):
        WebhookSecret.read(text)


def test_a_secret_is_not_shown() -> None:
    assert "secret" not in repr(WebhookSecret.read("plain secret")).replace("WebhookSecret", "")


def test_the_same_webhook_comes_through_once() -> None:
    g = gate()
    assert g.receive(signed(), BODY, NOW) == "accepted"
    assert g.receive(signed(at=NOW + 60), BODY, NOW + 60) == "duplicate"
    assert g.receive(signed(webhook_id="wh_2"), BODY, NOW) == "accepted"
    assert (g.stats.accepted, g.stats.duplicates) == (2, 1)


def test_one_that_came_to_nothing_may_come_again() -> None:
    g = gate()
    assert g.receive(signed(), BODY, NOW) == "accepted"
    g.forget("wh_1")
    g.forget("wh_unknown")
    assert g.receive(signed(), BODY, NOW) == "accepted"
    assert g.stats.accepted == 1


@pytest.mark.parametrize(
    ("age_s", "verdict"),
    [(0, "accepted"), (300, "accepted"), (301, "too_old"), (-300, "accepted"), (-301, "too_new")],
)
def test_the_time_of_a_webhook_counts(age_s: int, verdict: str) -> None:
    g = gate()
    assert g.receive(signed(at=NOW - age_s), BODY, NOW) == verdict
    assert g.stats.out_of_time == (verdict != "accepted")


def test_another_body_another_id_or_another_time_is_not_what_was_signed() -> None:
    g = gate()
    good = signed()
    assert g.receive(good, BODY + b" ", NOW) == "wrong_signature"
    moved = WebhookHeaders("wh_9", good.timestamp, good.signature)
    assert g.receive(moved, BODY, NOW) == "wrong_signature"
    later = WebhookHeaders("wh_1", str(NOW + 1), good.signature)
    assert g.receive(later, BODY, NOW) == "wrong_signature"
    assert g.stats.wrong_signatures == 3
    # None of them took the place of the real one.
    assert g.receive(good, BODY, NOW) == "accepted"


def test_one_of_several_signatures_and_secrets_is_enough() -> None:
    g = gate("old secret", CODED)
    good = signed().signature
    for webhook_id in ("wh_1", "wh_2"):
        other = signed("old secret", webhook_id=webhook_id).signature
        headers = WebhookHeaders(webhook_id, str(NOW), f"v1,AAAA v2,x {other}")
        assert g.receive(headers, BODY, NOW) == "accepted"
    headers = WebhookHeaders("wh_1", str(NOW), f"v1a,xx {good}")
    assert gate().receive(headers, BODY, NOW) == "accepted"
    # A signature of another version is none.
    bare = WebhookHeaders("wh_1", str(NOW), good.removeprefix("v1,"))
    assert gate().receive(bare, BODY, NOW) == "wrong_signature"


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        (WebhookHeaders("", "1", "v1,x"), "header_missing"),
        (WebhookHeaders("a", "", "v1,x"), "header_missing"),
        (WebhookHeaders("a", "1", ""), "header_missing"),
        (WebhookHeaders("a", "-1", "v1,x"), "malformed"),
        (WebhookHeaders("a", "1e9", "v1,x"), "malformed"),
        (WebhookHeaders("a", "9" * 400, "v1,x"), "malformed"),
        (WebhookHeaders("a" * 257, str(NOW), "v1,x"), "malformed"),
        (WebhookHeaders("a", str(NOW), "v1,\udcff\ud800"), "wrong_signature"),
        (WebhookHeaders("\udcff", str(NOW), "v1,é"), "wrong_signature"),
    ],
)
def test_headers_that_are_no_good(headers: WebhookHeaders, verdict: str) -> None:
    g = gate()
    assert g.receive(headers, BODY, NOW) == verdict
    assert g.stats.unsigned + g.stats.wrong_signatures == 1


def test_what_is_remembered_has_a_bound() -> None:
    g = gate(max_remembered=3)
    for n in range(5):
        assert g.receive(signed(webhook_id=f"wh_{n}"), BODY, NOW) == "accepted"
    assert len(g._seen) == 3
    assert g.receive(signed(webhook_id="wh_4"), BODY, NOW) == "duplicate"
    day_after = NOW + 25 * 3600
    assert g.receive(signed(webhook_id="wh_9", at=day_after), BODY, day_after) == "accepted"
    assert list(g._seen) == ["wh_9"]
