"""Where Gemini Live is, and with which credentials."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from telephony.realtime.gemini_config import GeminiConfig, VertexConfig

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_GEMINI_PATH = "/ws/google.ai.generativelanguage.{}.GenerativeService.BidiGenerateContent"
_VERTEX_PATH = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"


def url_under(base_url: str, config: GeminiConfig) -> str:
    """Return the WebSocket URL under a base; raises ValueError for a base that is no such URL.

    A base that names a service already is taken as it is.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise ValueError(f"base_url {base_url!r} must be a wss, ws, https or http URL")
    path = parts.path.rstrip("/")
    if not path.startswith("/ws/google."):
        path += _path(config)
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, parts.query, ""))


def _path(config: GeminiConfig) -> str:
    if isinstance(config, VertexConfig):
        return _VERTEX_PATH
    constrained = "Constrained" if config.auth == "ephemeral_token" else ""
    return _GEMINI_PATH.format(config.api_version) + constrained


def headers_with(api_key: str, config: GeminiConfig) -> dict[str, str]:
    """Return the handshake's headers; the key of Vertex AI is an OAuth access token."""
    if isinstance(config, VertexConfig):
        payer = {"x-goog-user-project": config.quota_project or config.project}
        return payer | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
    if not api_key:
        return {}
    if config.auth == "ephemeral_token":
        return {"Authorization": f"Token {api_key}"}
    return {"x-goog-api-key": api_key}
