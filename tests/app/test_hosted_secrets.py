from __future__ import annotations

import pytest

from telephony.app.hosted_secrets import (
    required_secrets,
    secret,
    secret_problems,
    token_secret,
    webhook_secret,
)
from telephony.app.settings import Settings
from telephony.base.errors import ConfigError


def test_a_reference_stands_for_what_the_environment_holds() -> None:
    assert secret("${A}", {"A": " value "}) == "value"
    assert webhook_secret("${A}", {"A": "whsec_QUJD"}).key == b"ABC"
    assert token_secret("${A}", {"A": "x" * 16}) == "x" * 16


@pytest.mark.parametrize("environ", [{}, {"A": ""}, {"A": "  "}])
def test_what_is_not_set_is_named(environ: dict[str, str]) -> None:
    for read in (secret, webhook_secret, token_secret):
        with pytest.raises(ValueError, match=r"A is not set\nfix: export A="):
            read("${A}", environ)


def test_a_secret_that_is_no_good_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="no base64") as caught:
        webhook_secret("${A}", {"A": "whsec_?!"})
    assert "?!" not in str(caught.value)
    with pytest.raises(ValueError, match="shorter than 16") as caught:
        token_secret("${A}", {"A": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_nothing_is_needed_for_what_is_off() -> None:
    assert list(secret_problems(Settings(), {})) == []
    required_secrets(Settings(), {})


def test_everything_that_lacks_is_told_at_once() -> None:
    settings = Settings.model_validate(
        {
            "hosted_sip": {"enabled": True, "secrets": ["${A}", "${B}"], "api_key": "${C}"},
            "tokens": {"enabled": True},
        }
    )
    with pytest.raises(ConfigError) as caught:
        required_secrets(settings, {"A": "good"})
    assert [problem.message for problem in caught.value.problems] == [
        "the environment variable B is not set",
        "the environment variable C is not set",
        "nobody could be told from a stranger",
    ]
