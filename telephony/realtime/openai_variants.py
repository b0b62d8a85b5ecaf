"""The servers that speak OpenAI Realtime or a variation of it, one entry each."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.audio.format import L16_16K
from telephony.realtime.openai_variant import OpenAIVariant
from telephony.realtime.session_base import RealtimeSessionConfig
from telephony.realtime.session_config import AzureSessionConfig, SessionConfig
from telephony.realtime.session_inworld import InworldSessionConfig
from telephony.realtime.session_local import LocalSessionConfig
from telephony.realtime.session_qwen import QwenSessionConfig
from telephony.realtime.session_voice_live import VoiceLiveSessionConfig
from telephony.realtime.session_xai import XaiSessionConfig

OPENAI = OpenAIVariant()
AZURE_OPENAI = OpenAIVariant(path="/openai/v1/realtime", key_header="api-key", key_scheme="")
XAI = OpenAIVariant(
    out_of_band=False, names_responses=False, response_fields=frozenset({"instructions"})
)
INWORLD = OpenAIVariant(
    path="/api/v1/realtime/session",
    query=(("key", "call-{token}"), ("protocol", "realtime")),
    model_in_url=False,
    key_scheme="Basic",
    truncates=False,
    deletes=False,
    out_of_band=False,
    names_responses=False,
    response_fields=frozenset({"instructions"}),
)
AZURE_VOICE_LIVE = OpenAIVariant(
    path="/voice-live/realtime",
    query=(("api-version", "2026-07-15"),),
    key_header="api-key",
    key_scheme="",
    out_of_band=False,
    assistant_part="text",
)
QWEN_OMNI = OpenAIVariant(
    g711=False,
    pcm_input=L16_16K,
    truncates=False,
    deletes=False,
    messages=False,
    out_of_band=False,
    names_responses=False,
    client_item_ids=False,
    response_fields=frozenset({"instructions"}),
)
LOCAL = OpenAIVariant(g711=False)


@dataclass(frozen=True, slots=True)
class OpenAIServer:
    """How an agent's file names a server, and what it may say about it."""

    api: str
    title: str
    variant: OpenAIVariant
    session: type[RealtimeSessionConfig]
    base_url: str = ""
    key_variable: str = ""


OPENAI_SERVERS: dict[str, OpenAIServer] = {
    server.api: server
    for server in (
        OpenAIServer(
            "openai_realtime",
            "OpenAI Realtime",
            OPENAI,
            SessionConfig,
            "wss://api.openai.com/v1",
            "OPENAI_API_KEY",
        ),
        OpenAIServer(
            "azure_openai",
            "Azure OpenAI",
            AZURE_OPENAI,
            AzureSessionConfig,
            key_variable="AZURE_OPENAI_API_KEY",
        ),
        OpenAIServer(
            "xai", "xAI Grok Voice", XAI, XaiSessionConfig, "wss://api.x.ai/v1", "XAI_API_KEY"
        ),
        OpenAIServer(
            "inworld",
            "Inworld Realtime",
            INWORLD,
            InworldSessionConfig,
            "wss://api.inworld.ai",
            "INWORLD_API_KEY",
        ),
        OpenAIServer(
            "azure_voice_live",
            "Azure Voice Live",
            AZURE_VOICE_LIVE,
            VoiceLiveSessionConfig,
            key_variable="AZURE_VOICE_LIVE_API_KEY",
        ),
        OpenAIServer(
            "qwen_omni",
            "Qwen-Omni realtime",
            QWEN_OMNI,
            QwenSessionConfig,
            "wss://dashscope-intl.aliyuncs.com/api-ws/v1",
            "DASHSCOPE_API_KEY",
        ),
        OpenAIServer("local_realtime", "a local realtime server", LOCAL, LocalSessionConfig),
    )
}
