"""In what a server that speaks OpenAI Realtime may differ from OpenAI's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from telephony.audio.format import L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import ModelFormat

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_TOKEN = "{token}"


@dataclass(frozen=True, slots=True)
class OpenAIVariant:
    """One server's address, formats, and what it has a word for.

    ``path`` follows the base URL; ``query`` is added to it, ``{token}`` in it replaced by a random
    one. The key goes into ``key_header`` after ``key_scheme``. G.711 is asked of the server where
    the line carries it and ``g711`` says that the server takes it; else it hears ``pcm_input`` and
    speaks ``pcm_output``.

    ``messages``: it takes text of ours as items. ``out_of_band``: it answers beside the
    conversation. ``names_responses``: a cancellation says of what. ``client_item_ids``: we name
    our items. ``response_fields``: what one ``response.create`` may set. ``assistant_part``: the
    type of the model's own text in an item.
    """

    path: str = "/realtime"
    query: tuple[tuple[str, str], ...] = ()
    model_in_url: bool = True
    key_header: str = "Authorization"
    key_scheme: str = "Bearer"
    g711: bool = True
    pcm_input: AudioFormat = L16_24K
    pcm_output: AudioFormat = L16_24K
    truncates: bool = True
    deletes: bool = True
    messages: bool = True
    out_of_band: bool = True
    names_responses: bool = True
    client_item_ids: bool = True
    response_fields: frozenset[str] = frozenset({"instructions", "tool_choice"})
    assistant_part: str = "output_text"

    def url(self, base_url: str, model: str, ids: Ids) -> str:
        """Return the WebSocket URL under a base; raises ValueError for one that is no such URL."""
        parts = urlsplit(base_url)
        if parts.scheme not in _SCHEMES or not parts.netloc:
            raise ValueError(f"base_url {base_url!r} must be a wss, ws, https or http URL")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name, value in self.query:
            query.setdefault(name, value.replace(_TOKEN, ids.token(8)))
        if self.model_in_url:
            query.setdefault("model", model)
        path = _joined(parts.path, self.path)
        return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, urlencode(query), ""))

    def headers(self, api_key: str) -> dict[str, str]:
        """Return the header with the key; without a key there is none."""
        if not api_key:
            return {}
        return {self.key_header: f"{self.key_scheme} {api_key}".strip()}

    def formats(self, line: AudioFormat, wish: ModelFormat) -> tuple[AudioFormat, AudioFormat]:
        """Return what to ask of the server as input and output for a leg that carries ``line``."""
        if self.g711 and wish != "pcm16" and line in (PCMU, PCMA):
            return line, line
        if self.g711 and wish == "g711":
            return PCMU, PCMU
        return self.pcm_input, self.pcm_output

    def but(self, **changes: Any) -> OpenAIVariant:
        """Return the same with some traits changed."""
        return replace(self, **changes)


def _joined(base: str, path: str) -> str:
    """Append ``path`` to ``base``, of whose end its first segments may be a part already."""
    have, want = base.rstrip("/").split("/"), path.strip("/").split("/")
    for size in range(min(len(have), len(want)), 0, -1):
        if have[-size:] == want[:size]:
            return "/".join(have + want[size:])
    return "/".join(have + want)
