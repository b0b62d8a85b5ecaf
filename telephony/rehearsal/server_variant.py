"""The servers that a rehearsal can stand in for."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.rehearsal.flat_dialects import QwenDialect, VoiceLiveDialect
from telephony.rehearsal.wire_dialect import (
    InworldDialect,
    LocalDialect,
    WireDialect,
    XaiDialect,
)


@dataclass(frozen=True, slots=True)
class ServerVariant:
    """Where a server is found, how it is given a key, and its wire.

    A handshake lacks none of ``required`` in its query and has none of ``refused``.
    """

    name: str
    dialect: type[WireDialect] = WireDialect
    base: str = "/v1"
    path: str = "/realtime"
    required: tuple[str, ...] = ("model",)
    refused: tuple[str, ...] = ()
    key_header: str = "Authorization"
    key_scheme: str = "Bearer"
    default_model: str = ""


OPENAI = ServerVariant("openai_realtime")

SERVER_VARIANTS: dict[str, ServerVariant] = {
    variant.name: variant
    for variant in (
        OPENAI,
        ServerVariant(
            "azure_openai",
            base="",
            path="/openai/v1/realtime",
            refused=("api-version",),
            key_header="api-key",
            key_scheme="",
        ),
        ServerVariant("xai", XaiDialect),
        ServerVariant(
            "inworld",
            InworldDialect,
            base="",
            path="/api/v1/realtime/session",
            required=("key", "protocol"),
            key_scheme="Basic",
            default_model="openai/gpt-4.1-mini",
        ),
        ServerVariant(
            "azure_voice_live",
            VoiceLiveDialect,
            base="",
            path="/voice-live/realtime",
            required=("api-version", "model"),
            key_header="api-key",
            key_scheme="",
        ),
        ServerVariant("qwen_omni", QwenDialect, base="/api-ws/v1"),
        ServerVariant("local_realtime", LocalDialect),
    )
}


def variant_at(path: str, default: ServerVariant) -> tuple[ServerVariant, str]:
    """Return the variant that a path names first, or the default, and the rest of the path."""
    name, _, rest = path.lstrip("/").partition("/")
    named = SERVER_VARIANTS.get(name)
    return (default, path) if named is None else (named, f"/{rest}")
