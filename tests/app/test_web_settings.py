from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from telephony.app.web_settings import HostedSip, Tokens


def test_both_are_off_by_default() -> None:
    assert not HostedSip().enabled
    assert not Tokens().enabled
    assert HostedSip().trunk == "openai"
    assert HostedSip().trust_identity == ["from"]


def test_one_secret_is_a_list_of_one() -> None:
    assert HostedSip(secrets="${A}").secrets == ["${A}"]  # type: ignore[arg-type]
    assert Tokens(agents="bot").agents == ["bot"]  # type: ignore[arg-type]
    assert Tokens(allowed_origins=["https://WWW.example"]).allowed_origins == [
        "https://www.example"
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"path": "hooks"},
        {"path": "/a b"},
        {"path": "/{agent}"},
        {"base_url": "ftp://x"},
        {"base_url": "https://user@x"},
        {"base_url": "https://[x"},
        {"secrets": ["whsec_abc"]},
        {"api_key": "sk-1"},
        {"auth": "basic"},
        {"trust_identity": ["to"]},
        {"region": "EN"},
        {"max_calls": 0},
        {"trunk": ""},
        {"tls": True},
        {"port": 70000},
        {"host": "bot.example"},
        {"unknown": 1},
    ],
)
def test_what_hosted_calls_can_not_have(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HostedSip.model_validate(values)


@pytest.mark.parametrize(
    "values",
    [
        {"allowed_origins": ["*"]},
        {"allowed_origins": ["https://a.example/"]},
        {"expires_s": 9},
        {"expires_s": 7201},
        {"per_minute": 0},
        {"secrets": ["plain"]},
    ],
)
def test_what_tokens_can_not_have(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Tokens.model_validate(values)


def test_tls_with_a_port_of_its_own() -> None:
    assert HostedSip(port=8443, tls=True).tls
