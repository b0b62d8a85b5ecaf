"""The secrets of webhooks and tokens, from the environment variables that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from telephony.app.secret_references import look_up, referred_variable
from telephony.app.settings import Settings
from telephony.app.settings_sources import Key
from telephony.base.errors import ConfigError, Problem
from telephony.realtime.hosted.webhook import WebhookSecret

MIN_TOKEN_SECRET_CHARS = 16

ReadSecret = Callable[[str, Mapping[str, str]], object]
"""Reads what a reference stands for; raises ValueError, with a fix in its second line."""


def secret(reference: str, environ: Mapping[str, str]) -> str:
    """Return what a reference stands for. Raises ValueError, with a fix in its second line."""
    variable = referred_variable(reference) or ""
    value = look_up(variable, environ)
    if value is None:
        raise ValueError(
            f"the environment variable {variable} is not set\nfix: export {variable}=..."
        )
    return value


def webhook_secret(reference: str, environ: Mapping[str, str]) -> WebhookSecret:
    """Return a signing secret; raises ValueError."""
    try:
        return WebhookSecret.read(secret(reference, environ))
    except ValueError as error:
        if "\n" in str(error):
            raise
        fix = "copy the whole secret, with whsec_ at its beginning"
        raise ValueError(f"{reference}: {error}\nfix: {fix}") from None


def token_secret(reference: str, environ: Mapping[str, str]) -> str:
    """Return who may ask for tokens; raises ValueError for what could be guessed."""
    value = secret(reference, environ)
    if len(value) < MIN_TOKEN_SECRET_CHARS:
        fix = "draw one at random, such as by `openssl rand -hex 32`"
        raise ValueError(f"{reference} is shorter than {MIN_TOKEN_SECRET_CHARS}\nfix: {fix}")
    return value


def secret_problems(
    settings: Settings, environ: Mapping[str, str]
) -> Iterator[tuple[Key, str, str]]:
    """Yield key, message and fix for every secret that is missing or no good."""
    hosted, tokens = settings.hosted_sip, settings.tokens
    if hosted.enabled:
        key = ("hosted_sip", "secrets")
        yield from _each(key, hosted.secrets, webhook_secret, environ)
        if hosted.api_key is None:
            fix = "add api_key: ${OPENAI_API_KEY}"
            yield ("hosted_sip", "api_key"), "calls can't be accepted without a key", fix
        else:
            yield from _each(("hosted_sip", "api_key"), [hosted.api_key], secret, environ)
    if tokens.enabled:
        yield from _each(("tokens", "secrets"), tokens.secrets, token_secret, environ)


def _each(
    key: Key, references: Sequence[str], read: ReadSecret, environ: Mapping[str, str]
) -> Iterator[tuple[Key, str, str]]:
    if not references:
        yield key, "nobody could be told from a stranger", f"add {key[1]}: ${{VARIABLE}}"
    for reference in references:
        try:
            read(reference, environ)
        except ValueError as error:
            message, _, fix = str(error).partition("\nfix: ")
            yield key, message, fix


def required_secrets(settings: Settings, environ: Mapping[str, str]) -> None:
    """Raise ConfigError when a secret lacks without which nothing of it could run."""
    problems = [
        Problem("environment", 0, 0, ".".join(key), message, fix)
        for key, message, fix in secret_problems(settings, environ)
    ]
    if problems:
        raise ConfigError(problems)
