"""The far ends of all models under one face, for tests that run over every one of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import Any

from telephony.app.model_apis import MODEL_APIS
from telephony.base.interfaces import ModelConnection
from telephony.calls.model_source import ModelSource
from telephony.net.cascade_connection import CascadeOpener
from telephony.net.claude import ClaudeClient
from telephony.realtime.cascade.config import API_VERSION, CascadeConfig
from telephony.realtime.cascade.model import CascadeModel
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_model import GeminiModel
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_model import OpenAILiveModel
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig
from telephony.rehearsal.anthropic.claude_server import ClaudeServer, serve_claude
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.gemini.server import GeminiServer
from telephony.rehearsal.gemini.server import serve as serve_gemini
from telephony.rehearsal.live.server import LiveServer, serve_live
from telephony.rehearsal.model_server import ModelServer, serve
from telephony.rehearsal.scenario import Scenario
from telephony.rehearsal.speech.synthesizer import RehearsalSynthesizerService
from telephony.rehearsal.speech.transcriber import RehearsalTranscriberService
from tests.support.scenes import YES, speech

Said = list[tuple[str, str]]
"""Role and text of what a model remembers, in order; tools left out."""


class FarModel(ABC):
    """One far end with what an agent needs to reach it.

    ``truncates``: it can be told where the caller stopped hearing it, so that its own memory ends
    there. ``words`` is something for the caller to say, PCM16 at 8 kHz: one that hears text needs
    a whole phrase.
    ``keeps_warm``: its HTTP connections, and their tasks, outlive a call.
    """

    api = ""
    truncates = True
    words = YES
    keeps_warm = False
    source: ModelSource

    @property
    @abstractmethod
    def connections(self) -> int:
        """How many connections there are at this moment."""

    @property
    @abstractmethod
    def sessions(self) -> int:
        """How many sessions there have been."""

    @abstractmethod
    def said(self) -> Said:
        """Return what the model of the last session believes was said."""

    @abstractmethod
    def drop(self) -> None:
        """End every connection without a word."""

    @abstractmethod
    def refuse(self) -> None:
        """Refuse every further connection as a provider does whose key is wrong."""


class FarOpenAI(FarModel):
    api = "openai_realtime"

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self.source = self._source()

    def _source(self) -> ModelSource:
        model = OpenAIRealtimeModel(SessionConfig(model="rehearsal"))
        return ModelSource(model, self.server.base_url)

    @property
    def connections(self) -> int:
        return len(self.server.connections)

    @property
    def sessions(self) -> int:
        return len(self.server.sessions)

    def said(self) -> Said:
        return [
            (item.role or "", item.text)
            for item in self.server.sessions[-1].conversation
            if item.kind == "message"
        ]

    def drop(self) -> None:
        for connection in list(self.server.connections):
            connection.abort()

    def refuse(self) -> None:
        self.server.faults = ConnectionFaults(refuse_status=401)


class FarVoiceLive(FarOpenAI):
    api = "azure_voice_live"

    def _source(self) -> ModelSource:
        model = MODEL_APIS[self.api].read({"model": "rehearsal"})
        return ModelSource(model, self.server.base_url_of(self.api))


class FarAgents(FarOpenAI):
    api = "openai_agents"

    def _source(self) -> ModelSource:
        from telephony.app.sdk_agents import agents_opener
        from telephony.realtime.agents_realtime import AgentsConfig, AgentsModel

        agent = "tests.support.sdk_agents:billing"
        model = AgentsModel(AgentsConfig(model="rehearsal", agent=agent))
        opener = agents_opener(model, self.server.base_url, None)
        return ModelSource(model, self.server.base_url, opener=opener)


class FarGemini(FarModel):
    api = "gemini_live"
    truncates = False

    def __init__(self, server: GeminiServer) -> None:
        self.server = server
        self.source = ModelSource(GeminiModel(GeminiConfig()), server.base_url)

    @property
    def connections(self) -> int:
        return len(self.server.connections)

    @property
    def sessions(self) -> int:
        return len(self.server.sessions)

    def said(self) -> Said:
        roles = {"model": "assistant"}
        return [
            (roles.get(entry.role, entry.role), entry.text)
            for entry in self.server.sessions[-1].conversation
            if entry.kind in ("speech", "text")
        ]

    def drop(self) -> None:
        for connection in list(self.server.connections):
            connection.abort()

    def refuse(self) -> None:
        self.server.faults = ConnectionFaults(refuse_status=401)


Start = Callable[[Scenario], AbstractAsyncContextManager[FarModel]]


def _on_model_server(face: type[FarOpenAI]) -> Start:
    @asynccontextmanager
    async def start(scenario: Scenario) -> AsyncIterator[FarModel]:
        async with serve(scenario=scenario) as server:
            yield face(server)

    return start


class FarLive(FarModel):
    """A backend at the provider has the agent's tools."""

    api = "openai_live"
    truncates = False

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        backend = {"type": "responses", "responses": {"model": "rehearsal"}}
        config = LiveConfig.from_mapping({"model": "rehearsal", "delegation": backend})
        self.source = ModelSource(OpenAILiveModel(config), server.base_url)

    @property
    def connections(self) -> int:
        return len(self.server.connections)

    @property
    def sessions(self) -> int:
        return len(self.server.sessions)

    def said(self) -> Said:
        return self.server.sessions[-1].remembered()

    def drop(self) -> None:
        for connection in list(self.server.connections):
            connection.transport.abort()

    def refuse(self) -> None:
        self.server.faults = ConnectionFaults(refuse_status=401)


class FarCascade(FarModel):
    """Claude, a transcriber and a voice; Claude remembers what it is told with a request."""

    api = "cascade"
    words = speech("caller_yes")
    keeps_warm = True

    def __init__(self, server: ClaudeServer, client: ClaudeClient) -> None:
        self.server = server
        self._stt, self._tts = RehearsalTranscriberService(), RehearsalSynthesizerService()
        kinds = {"stt": {"type": "rehearsal"}, "tts": {"type": "rehearsal"}}
        model = CascadeModel(CascadeConfig.from_mapping(kinds), self._stt, self._tts)
        self._open = CascadeOpener(self._stt, self._tts, client)
        self._closed: dict[int, Callable[[int, str], None]] = {}
        self._sessions = 0
        self.source = ModelSource(model, server.base_url, opener=self._opener)

    async def _opener(self, dialect: Any, on_message: Any, on_closed: Any) -> ModelConnection:
        connection = await self._open(dialect, on_message, on_closed)
        self._sessions += 1
        self._closed[id(connection)] = on_closed
        close = connection.close

        async def closed(code: int = 1000) -> None:
            self._closed.pop(id(connection), None)
            await close(code)

        connection.close = closed  # type: ignore[method-assign]
        return connection

    @property
    def connections(self) -> int:
        return len(self._closed)

    @property
    def sessions(self) -> int:
        return self._sessions

    def said(self) -> Said:
        asked = self.server.requests[-1]
        told = [
            (message["role"], " ".join(b.get("text", "") for b in message["content"]))
            for message in asked.body["messages"]
        ]
        return [*told, ("assistant", asked.said)]

    def drop(self) -> None:
        for on_closed in list(self._closed.values()):
            on_closed(1006, "")

    def refuse(self) -> None:
        self.server.faults = ConnectionFaults(refuse_status=401)


@asynccontextmanager
async def _cascade(scenario: Scenario) -> AsyncIterator[FarModel]:
    async with serve_claude(scenario=scenario) as server:
        client = ClaudeClient(server.base_url, None, API_VERSION)
        yield FarCascade(server, client)
        await client.close()


@asynccontextmanager
async def _live(scenario: Scenario) -> AsyncIterator[FarModel]:
    async with serve_live(scenario=scenario) as server:
        yield FarLive(server)


@asynccontextmanager
async def _gemini(scenario: Scenario) -> AsyncIterator[FarModel]:
    async with serve_gemini(scenario=scenario) as server:
        yield FarGemini(server)


FAR_MODELS: dict[str, Start] = {
    FarOpenAI.api: _on_model_server(FarOpenAI),
    FarLive.api: _live,
    FarVoiceLive.api: _on_model_server(FarVoiceLive),
    FarGemini.api: _gemini,
    FarCascade.api: _cascade,
}
if find_spec("agents") is not None:
    FAR_MODELS[FarAgents.api] = _on_model_server(FarAgents)
