"""What a bench of the model APIs runs them against: light mocks, and an agent's file for each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from tests.bench.marks import ToneMark
from tests.bench.mock_model import MockModel
from tests.bench.mocks.cascade import MockClaude, MockDeepgram
from tests.bench.mocks.gemini import MockGemini
from tests.bench.mocks.live import MockLive
from tests.bench.mocks.wire import MockServer

SDK_AGENT = """\
from agents.realtime import RealtimeAgent

agent = RealtimeAgent(name="bench", instructions="Answer.")
"""
"""The module that the agent of the OpenAI Agents SDK is taken from, in the bot's directory."""

SDK_MODULE = "bench_agent"

_HEAD = """\
name: bench
instructions: Answer.
tools: []
"""


@dataclass(slots=True)
class Backend:
    """Running mocks and the agent's file that leads to them.

    ``answered`` maps calls to when their answer began; ``servers`` are those that hear callers.
    """

    agent: str
    answered: dict[int, float]
    servers: Sequence[MockServer]
    others: Sequence[MockClaude] = ()
    sockets_per_call: int = 1

    def name_newest(self, number: int) -> None:
        """Sessions that were opened since the last call belong to this one."""
        for server in self.servers:
            server.name_newest(number)

    def listen(self, heard: Callable[[int, float], None]) -> None:
        for server in self.servers:
            server.heard = heard

    @property
    def sessions_opened(self) -> int:
        """Counts those that followed a lost one too."""
        return max(server.opened for server in self.servers)

    def close(self) -> None:
        for server in (*self.servers, *self.others):
            server.close()


Start = Callable[[bytes], Awaitable[Backend]]
"""Starts the mocks; they speak this PCMU."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One API. ``needs`` is the package it needs, ``extra`` what installs it.

    ``heavy``: it is measured with few calls only. ``note`` is printed under the table.
    """

    name: str
    start: Start
    needs: str = ""
    extra: str = ""
    heavy: bool = False
    note: str = ""

    @property
    def lack(self) -> str:
        """Say why it can't be measured, "" when it can."""
        if self.needs and find_spec(self.needs) is None:
            return f"needs the extra {self.extra}: scripts/setup-venv test,bench,{self.extra}"
        return ""


def agent_of(api: str, base_url: str, session: str = "") -> str:
    """Return an agent's file."""
    return f"{_HEAD}api: {api}\nbase_url: {base_url}\nmodel: mock\n{session}"


async def _started(server: MockServer, api: str, scheme: str, path: str, more: str = "") -> Backend:
    port = await server.start()
    agent = agent_of(api, f"{scheme}://127.0.0.1:{port}{path}", more)
    return Backend(agent, server.answered, [server])


async def openai_realtime(speech: bytes) -> Backend:
    return await _started(MockModel(speech, ToneMark()), "openai_realtime", "ws", "/v1")


async def azure_voice_live(speech: bytes) -> Backend:
    model = MockModel(speech, ToneMark(), beta=True)
    return await _started(model, "azure_voice_live", "ws", "")


async def openai_live(speech: bytes) -> Backend:
    backend = await _started(MockLive(speech, ToneMark()), "openai_live", "ws", "/v1")
    backend.agent += "session: {delegation: {type: responses, responses: {model: mock}}}\n"
    return backend


async def gemini_live(speech: bytes) -> Backend:
    return await _started(MockGemini(speech, ToneMark()), "gemini_live", "ws", "")


async def cascade(speech: bytes) -> Backend:
    deepgram, claude = MockDeepgram(speech, ToneMark()), MockClaude()
    speech_port, claude_port = await asyncio.gather(deepgram.start(), claude.start())
    service = f"{{type: deepgram, base_url: 'ws://127.0.0.1:{speech_port}'}}"
    session = f"session:\n  stt: {service}\n  tts: {service}\n"
    agent = agent_of("cascade", f"http://127.0.0.1:{claude_port}", session)
    return Backend(agent, deepgram.answered, [deepgram], [claude], sockets_per_call=2)


async def openai_agents(speech: bytes) -> Backend:
    session = f"session: {{agent: '{SDK_MODULE}:agent'}}\n"
    return await _started(MockModel(speech, ToneMark()), "openai_agents", "ws", "/v1", session)


SUBJECTS: dict[str, Subject] = {
    subject.name: subject
    for subject in (
        Subject("openai_realtime", openai_realtime),
        Subject(
            "azure_voice_live",
            azure_voice_live,
            note="stands for all variants with the names of the beta",
        ),
        Subject("openai_live", openai_live, note="sound in both directions all the time"),
        Subject("gemini_live", gemini_live, note="resampled: 8 to 16 kHz, and 24 to 8 kHz"),
        Subject(
            "cascade",
            cascade,
            "anthropic",
            "anthropic",
            note="transcriber, Claude and voice; model->caller is from the transcriber's last "
            "word to the first packet, through all three",
        ),
        Subject(
            "openai_agents",
            openai_agents,
            "agents",
            "agents",
            heavy=True,
            note="fewer calls: the SDK reads every event into pydantic models",
        ),
    )
}
