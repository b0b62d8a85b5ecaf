"""Google's own SDK talks to the rehearsal server, over TLS as it always does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from telephony.audio.format import L16_16K
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.gemini.server import GeminiServer, serve
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import Scenario
from tests.rehearsal.driver import phrase, scenario

MODEL = "gemini-3.8-live"
PROMPTS = shipped_prompts()
TEXTS = types.AudioTranscriptionConfig()
BOOK = types.FunctionDeclaration(name="book", description="Books a table.")
SHORT = "  - {when: greeting, say: you_said}\n  - {when: any, say: short_answer}\n"
CALLS = (
    "  - {when: greeting, say: you_said, call: {name: book, arguments: {seats: 4}}}\n"
    "  - {when: {tool: book}, say: tool_done}\n"
    "  - {when: any, say: short_answer}\n"
)
FAST = {"delta_ms": 100, "speed": 50.0, "first_delta_ms": 10}


def played(turns: str, **fields: Any) -> Scenario:
    base = scenario(turns)
    pace = base.pace.model_copy(update=FAST)
    return base.model_copy(update={"pace": pace, **fields})


@asynccontextmanager
async def served(
    monkeypatch: pytest.MonkeyPatch, turns: str = SHORT, **options: Any
) -> AsyncIterator[GeminiServer]:
    fields = {name: options.pop(name) for name in ("max_session_s",) if name in options}
    async with serve(scenario=played(turns, **fields), tls=True, **options) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        yield server


def client(server: GeminiServer, key: str = "any", version: str | None = None) -> genai.Client:
    options = types.HttpOptions(base_url=server.base_url, api_version=version)
    return genai.Client(api_key=key, http_options=options)


def config(**fields: Any) -> types.LiveConnectConfig:
    usual: dict[str, Any] = {
        "response_modalities": ["AUDIO"],
        "output_audio_transcription": TEXTS,
        "input_audio_transcription": TEXTS,
    }
    return types.LiveConnectConfig(**(usual | fields))


def talk(
    server: GeminiServer, setup: types.LiveConnectConfig | None = None
) -> AbstractAsyncContextManager[Any]:
    return client(server).aio.live.connect(model=MODEL, config=setup or config())


async def say(session: Any, name: str) -> None:
    audio = phrase(name, L16_16K)
    size = L16_16K.frame_bytes(100)
    for at in range(0, len(audio), size):
        blob = types.Blob(data=audio[at : at + size], mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=blob)


class Turn:
    """What a turn came to."""

    def __init__(self) -> None:
        self.audio = b""
        self.said = self.heard = ""
        self.interrupted = self.generated = False
        self.usage: Any = None
        self.calls: list[Any] = []
        self.others: list[Any] = []

    @classmethod
    async def of(cls, session: Any) -> Turn:
        turn = cls()
        async for message in session.receive():
            turn.take(message)
        return turn

    def take(self, message: Any) -> None:
        self.audio += message.data or b""
        content = message.server_content
        if content is not None:
            if content.output_transcription is not None:
                self.said += content.output_transcription.text
            if content.input_transcription is not None:
                self.heard += content.input_transcription.text
            self.interrupted |= bool(content.interrupted)
            self.generated |= bool(content.generation_complete)
        elif message.tool_call is not None:
            self.calls += message.tool_call.function_calls
        else:
            self.others.append(message)
        self.usage = message.usage_metadata or self.usage


async def test_a_greeting_and_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = SHORT.replace("{when: any", "{when: {heard: opening hours}")
    async with served(monkeypatch, turns) as server, talk(server) as session:
        assert session.session_id
        await session.send_client_content(
            turns=types.Content(role="user", parts=[types.Part(text="Greet.")])
        )
        greeting = await Turn.of(session)
        assert greeting.said == PROMPTS["you_said"].text
        assert greeting.generated
        assert len(greeting.audio) == len(PROMPTS["you_said"].pcm16)
        assert greeting.usage.response_token_count > 0
        await say(session, "caller_question")
        answer = await Turn.of(session)
        assert answer.heard == PROMPTS["caller_question"].text
        assert answer.said == PROMPTS["short_answer"].text
    roles = [(entry.role, entry.kind) for entry in server.sessions[-1].conversation]
    assert roles == [
        ("user", "prompt"),
        ("model", "speech"),
        ("user", "speech"),
        ("model", "speech"),
    ]


async def test_a_barge_in_is_heard_as_far_as_it_played(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = "  - {when: greeting, say: opening_hours}\n  - {when: any, say: short_answer}\n"
    async with served(monkeypatch, turns) as server, talk(server) as session:
        await session.send_realtime_input(text="Greet.")
        messages = session.receive()
        turn = Turn()
        async for message in messages:
            turn.take(message)
            if turn.generated:
                break
        await say(session, "caller_yes")
        rest = await Turn.of(session)
        assert rest.interrupted
        assert not rest.generated
        answer = await Turn.of(session)
        assert answer.said == PROMPTS["short_answer"].text
    greeting = server.sessions[-1].conversation[1]
    assert greeting.cut
    assert greeting.audio_ms < PROMPTS["opening_hours"].duration_ms
    assert PROMPTS["opening_hours"].text.startswith(greeting.text)


async def test_the_client_marks_the_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    manual = types.RealtimeInputConfig(
        automatic_activity_detection=types.AutomaticActivityDetection(disabled=True)
    )
    async with served(monkeypatch) as server:
        setup = config(realtime_input_config=manual)
        async with talk(server, setup) as session:
            await session.send_realtime_input(activity_start=types.ActivityStart())
            await say(session, "caller_question")
            await session.send_realtime_input(activity_end=types.ActivityEnd())
            answer = await Turn.of(session)
            assert answer.heard == PROMPTS["caller_question"].text


@pytest.mark.parametrize("behavior", ["BLOCKING", "NON_BLOCKING"])
async def test_a_tool_is_called(monkeypatch: pytest.MonkeyPatch, behavior: str) -> None:
    declared = BOOK.model_copy(update={"behavior": types.Behavior(behavior)})
    tools = [types.Tool(function_declarations=[declared])]
    async with served(monkeypatch, CALLS) as server:
        setup = config(tools=tools)
        async with talk(server, setup) as session:
            await session.send_realtime_input(text="Greet.")
            turn = Turn()
            async for message in session.receive():
                turn.take(message)
                if turn.calls and behavior == "BLOCKING":
                    break
            (call,) = turn.calls
            assert (call.name, call.args) == ("book", {"seats": 4})
            assert turn.generated == (behavior == "NON_BLOCKING")
            response = types.FunctionResponse(id=call.id, name="book", response={"output": "ok"})
            await session.send_tool_response(function_responses=response)
            after = await Turn.of(session)
            assert after.said == PROMPTS["tool_done"].text


async def test_a_silent_output_is_not_spoken_about(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = [types.Tool(function_declarations=[BOOK])]
    async with served(monkeypatch, CALLS) as server:
        setup = config(tools=tools)
        async with talk(server, setup) as session:
            await session.send_realtime_input(text="Greet.")
            (call,) = (await Turn.of(session)).calls
            silent = types.FunctionResponse(
                id=call.id,
                name="book",
                response={"output": "ok"},
                scheduling=types.FunctionResponseScheduling.SILENT,
            )
            await session.send_tool_response(function_responses=silent)
            await session.send_realtime_input(text="And now?")
            answer = await Turn.of(session)
            assert answer.said == PROMPTS["short_answer"].text


async def test_a_session_is_resumed_by_its_handle(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch) as server:
        resumption = types.SessionResumptionConfig()
        setup = config(session_resumption=resumption)
        async with talk(server, setup) as session:
            await session.send_realtime_input(text="Greet.")
            greeting = await Turn.of(session)
            update = (await session._receive()).session_resumption_update
            assert update.resumable
            handle = update.new_handle
            assert greeting.said == PROMPTS["you_said"].text
        setup = config(session_resumption=types.SessionResumptionConfig(handle=handle))
        async with talk(server, setup) as session:
            await session.send_realtime_input(text="Who am I?")
            # A model that knew nothing would greet.
            assert (await Turn.of(session)).said == PROMPTS["short_answer"].text
        assert server.sessions[-1].resumed


async def test_history_is_seeded_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch) as server:
        seeded = config(history_config=types.HistoryConfig(initial_history_in_client_content=True))
        async with talk(server, seeded) as session:
            said = [
                types.Content(role="user", parts=[types.Part(text="I am Ann.")]),
                types.Content(role="model", parts=[types.Part(text="Hello Ann.")]),
            ]
            await session.send_client_content(turns=said, turn_complete=True)
            await session.send_realtime_input(text="Who am I?")
            assert (await Turn.of(session)).said == PROMPTS["short_answer"].text
        texts = [entry.text for entry in server.sessions[-1].conversation][:3]
        assert texts == ["I am Ann.", "Hello Ann.", "Who am I?"]


async def test_the_end_of_a_connection_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch, max_session_s=0.4) as server, talk(server) as session:
        message = await session._receive()
        assert message.go_away.time_left == "0.1s"
        with pytest.raises(errors.APIError) as caught:
            await session._receive()
        assert caught.value.code == 1000


BAD_SETUPS: list[tuple[str, dict[str, Any], int]] = [
    (
        MODEL,
        {"thinking_config": types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW)},
        1007,
    ),
    (MODEL, {"proactivity": types.ProactivityConfig(proactive_audio=False)}, 1007),
    (MODEL, {"enable_affective_dialog": True}, 1007),
    (MODEL, {"response_modalities": ["TEXT"]}, 1007),
    ("gemini-3.8-live-extended-thinking", {}, 1007),
    ("gemini-4-pro", {}, 1008),
    (
        MODEL,
        {
            "speech_config": types.SpeechConfig(
                voice_config=types.VoiceConfig(
                    prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="marin")
                )
            )
        },
        1007,
    ),
    (MODEL, {"session_resumption": types.SessionResumptionConfig(handle="unknown")}, 1007),
]


@pytest.mark.parametrize(("model", "fields", "code"), BAD_SETUPS)
async def test_a_setup_that_is_refused(
    monkeypatch: pytest.MonkeyPatch, model: str, fields: dict[str, Any], code: int
) -> None:
    async with served(monkeypatch) as server:
        with pytest.raises(errors.APIError) as caught:
            async with client(server).aio.live.connect(model=model, config=config(**fields)):
                pass
        assert caught.value.code == code


async def test_a_wrong_key_is_a_policy_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch, api_key="right") as server:
        async with client(server, "right").aio.live.connect(model=MODEL, config=config()):
            pass
        with pytest.raises(errors.APIError) as caught:
            async with client(server, "wrong").aio.live.connect(model=MODEL, config=config()):
                pass
        assert caught.value.code == 1008


async def test_faults_of_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch) as server:
        server.faults = ConnectionFaults(drop_after_ms=50, close_code=1011)
        async with talk(server) as session:
            with pytest.raises(errors.APIError) as caught:
                await session._receive()
            assert caught.value.code == 1011
        server.faults = ConnectionFaults.model_validate(
            {"error": {"code": "RESOURCE_EXHAUSTED", "message": "quota"}}
        )
        with pytest.raises(errors.APIError, match="RESOURCE_EXHAUSTED"):
            async with talk(server):
                pass


@pytest.mark.filterwarnings("ignore:.*experimental.*")
async def test_an_ephemeral_token_begins_one_session(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch, api_key="right") as server:
        issuer = client(server, "right", "v1alpha")
        constraints = types.LiveConnectConstraints(
            model=MODEL, config=config(system_instruction="Be brief.")
        )
        asked = types.CreateAuthTokenConfig(uses=1, live_connect_constraints=constraints)
        token = await asyncio.to_thread(issuer.auth_tokens.create, config=asked)
        assert token.name is not None
        assert token.name.startswith("auth_tokens/")
        holder = client(server, token.name, "v1alpha")
        async with holder.aio.live.connect(model=MODEL, config=config()):
            pass
        setup = server.sessions[-1].setup
        assert setup is not None
        assert setup.system_instruction is not None
        assert setup.system_instruction.text == "Be brief."
        with pytest.raises(errors.APIError, match="used up"):
            async with holder.aio.live.connect(model=MODEL, config=config()):
                pass
