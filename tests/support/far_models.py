"""The far ends of all models under one face, for tests that run over every one of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec

from telephony.app.model_apis import MODEL_APIS
from telephony.calls.model_source import ModelSource
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_model import GeminiModel
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_model import OpenAILiveModel
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.gemini.server import GeminiServer
from telephony.rehearsal.gemini.server import serve as serve_gemini
from telephony.rehearsal.live.server import LiveServer, serve_live
from telephony.rehearsal.model_server import ModelServer, serve
from telephony.rehearsal.scenario import Scenario, Trigger

Said = list[tuple[str, str]]
"""Role and text of what a model remembers, in order; tools left out."""


class FarModel(ABC):
    """One far end with what an agent needs to reach it.

    ``truncates``: it can be told where the caller stopped hearing it, so that its own memory ends
    there. ``first_turn`` is the number that the scenario knows the caller's first words by: an
    instruction to greet counts as one where it is words of the caller to the model.
    """

    api = ""
    truncates = True
    first_turn = 1
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


class FarInworld(FarVoiceLive):
    api = "inworld"
    truncates = False


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
    first_turn = 2

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


@asynccontextmanager
async def _live(scenario: Scenario) -> AsyncIterator[FarModel]:
    async with serve_live(scenario=scenario) as server:
        yield FarLive(server)


@asynccontextmanager
async def _gemini(scenario: Scenario) -> AsyncIterator[FarModel]:
    async with serve_gemini(scenario=_numbered(scenario, FarGemini.first_turn)) as server:
        yield FarGemini(server)


def _numbered(scenario: Scenario, first_turn: int) -> Scenario:
    """Return the scenario with the caller's turns numbered from ``first_turn``."""
    turns = [
        turn
        if turn.when.turn is None
        else turn.model_copy(
            update={"when": Trigger.model_validate({"turn": turn.when.turn + first_turn - 1})}
        )
        for turn in scenario.turns
    ]
    return scenario.model_copy(update={"turns": tuple(turns)})


FAR_MODELS: dict[str, Start] = {
    FarOpenAI.api: _on_model_server(FarOpenAI),
    FarLive.api: _live,
    FarVoiceLive.api: _on_model_server(FarVoiceLive),
    FarInworld.api: _on_model_server(FarInworld),
    FarGemini.api: _gemini,
}
if find_spec("agents") is not None:
    FAR_MODELS[FarAgents.api] = _on_model_server(FarAgents)
