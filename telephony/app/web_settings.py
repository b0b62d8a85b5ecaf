"""The sections of what others reach over HTTP: webhooks of hosted calls, tokens for browsers."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from telephony.app.settings_types import (
    Host,
    Port,
    PositiveSeconds,
    Seconds,
    SecretReference,
    Section,
    as_list,
)
from telephony.base.schema_problems import NAME_PATTERN

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def _url_path(value: str) -> str:
    if _PATH.fullmatch(value) is None:
        raise ValueError(f"{value!r} is no path\nfix: write /hooks/openai, or another of that kind")
    return value


def _api_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and not parts.username
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"this is no URL of an API\nfix: write {OPENAI_URL}")
    return value


def _origin(value: str) -> str:
    if re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", value) is None:
        fix = "write https://www.example.com, without a path"
        raise ValueError(f"{value!r} is no origin\nfix: {fix}")
    return value.lower()


def _region(value: str) -> str:
    import phonenumbers

    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{value!r} is no region\nfix: write DE, US, GB, ...")
    return value


OPENAI_URL = "https://api.openai.com/v1"

UrlPath = Annotated[str, AfterValidator(_url_path)]
ApiUrl = Annotated[str, AfterValidator(_api_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Region = Annotated[str, AfterValidator(_region)]
Secrets = Annotated[list[SecretReference], BeforeValidator(as_list)]
TrunkName = Annotated[str, Field(min_length=1, max_length=64, pattern=NAME_PATTERN)]
IdentityHeader = Literal["pai", "rpid", "from"]


class WebPort(Section):
    """Where it is listened: ``port`` null is the port of ``http``, which has no TLS."""

    enabled: bool = False
    host: Host = "127.0.0.1"
    port: Port | None = None
    tls: bool = False

    @field_validator("tls")
    @classmethod
    def _tls_on_a_port_of_its_own(cls, tls: bool, info: ValidationInfo) -> bool:
        if tls and info.data.get("port", 0) is None:
            raise ValueError("TLS needs a port of its own\nfix: add port: 8443")
        return tls


class HostedSip(WebPort):
    """Calls whose telephone OpenAI answers, which we hear of by webhook."""

    path: UrlPath = "/hooks/openai"
    secrets: Secrets = []
    base_url: ApiUrl = OPENAI_URL
    api_key: SecretReference | None = None
    auth: Literal["bearer", "api_key"] = "bearer"
    trunk: TrunkName = "openai"
    trust_identity: list[IdentityHeader] = ["from"]
    region: Region | None = None
    max_calls: Annotated[int, Field(ge=1)] | None = None
    event_wait_s: Seconds = 2.0
    request_timeout_s: PositiveSeconds = 5.0
    transfer_model: Annotated[str, Field(min_length=1)] = "gpt-realtime-2.1-mini"


class Tokens(WebPort):
    """Keys of short life for browsers that talk to a model themselves."""

    path: UrlPath = "/tokens"
    secrets: Secrets = []
    agents: Annotated[list[str], BeforeValidator(as_list)] = []
    allowed_origins: Annotated[list[Origin], BeforeValidator(as_list)] = []
    per_minute: Annotated[int, Field(ge=1)] = 30
    expires_s: Annotated[int, Field(ge=10, le=7200)] = 600
    request_timeout_s: PositiveSeconds = 5.0
