"""Agents for tests of the cascade: Claude's stand-in and the rehearsal's speech services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from telephony.calls.agent import Agent
from telephony.calls.model_source import ModelSource
from telephony.net.cascade_connection import CascadeOpener
from telephony.net.claude import ClaudeClient
from telephony.realtime.cascade.config import API_VERSION, CascadeConfig
from telephony.realtime.cascade.model import CascadeModel
from telephony.rehearsal.anthropic.claude_server import ClaudeServer, serve_claude
from telephony.rehearsal.scenario import Scenario
from telephony.rehearsal.speech.synthesizer import RehearsalSynthesizerService
from telephony.rehearsal.speech.transcriber import RehearsalTranscriberService
from tests.support.phones import Phones, phones


def config(**session: Any) -> CascadeConfig:
    kinds = {"stt": {"type": "rehearsal"}, "tts": {"type": "rehearsal"}}
    return CascadeConfig.from_mapping(kinds | session)


@dataclass
class CascadePhones:
    """A call's three far ends beside the phones."""

    phones: Phones
    claude: ClaudeServer
    stt: RehearsalTranscriberService
    tts: RehearsalSynthesizerService

    @property
    def core(self) -> Any:
        """The core of the last call."""
        call = self.phones.calls[-1] if self.phones.calls else self.phones.present_call()
        assert call.conversation is not None
        return call.conversation.dialect


@asynccontextmanager
async def cascade_phones(
    scenario: Scenario,
    *,
    session: Mapping[str, Any] | None = None,
    stt: RehearsalTranscriberService | None = None,
    tts: RehearsalSynthesizerService | None = None,
    api_key: str | None = None,
    **agent: Any,
) -> AsyncIterator[CascadePhones]:
    """Run a bot whose model is a cascade; ``agent`` are fields of the agent."""
    stt, tts = stt or RehearsalTranscriberService(), tts or RehearsalSynthesizerService()
    async with serve_claude(scenario=scenario, api_key=api_key) as claude:
        client = ClaudeClient(claude.base_url, api_key, API_VERSION)
        model = CascadeModel(config(**(session or {})), stt, tts)
        source = ModelSource(model, opener=CascadeOpener(stt, tts, client))
        fields: dict[str, Any] = {"name": "bot", "source": source, "greeting": "Greet."}
        try:
            async with phones(agent=Agent(**(fields | agent))) as p:
                yield CascadePhones(p, claude, stt, tts)
        finally:
            await client.close()
