"""Our client against an OpenAI Realtime server that is not ours, over a real WebSocket.

`scripts/setup-speech-to-speech` makes the environment of the peer. Without it the tests are
skipped, unless ``REQUIRED_PEERS`` names ``speech-to-speech``.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from telephony.app.model_apis import MODEL_APIS
from telephony.audio.format import L16_24K, PCMU
from telephony.base.ids import Ids
from telephony.net.model_socket import ModelSocket
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    AudioDelta,
    ItemTruncated,
    ModelError,
    ResponseFinished,
    ResponseStarted,
    SessionReady,
    SpeechStarted,
    SpeechStopped,
    ToolCallRequested,
    TranscriptFinished,
)
from telephony.realtime.function_tool import FunctionTool
from tests.rehearsal.driver import phrase

ROOT = Path(__file__).parents[2]
VENV = ROOT / os.environ.get("SPEECH_TO_SPEECH_VENV", ".venv-speech-to-speech")
PYTHON = VENV / "bin" / "python"
REQUIRED = "speech-to-speech" in os.environ.get("REQUIRED_PEERS", "").split()
SETTINGS = {"model": "any", "transcription": {"model": "stub"}}

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not REQUIRED and not PYTHON.exists(), reason="scripts/setup-speech-to-speech was not run"
    ),
]


class Client:
    """The dialect on our socket; tells what it learns."""

    def __init__(self, settings: dict[str, Any]) -> None:
        tools = (FunctionTool(name="hangup", description="End the call."),)
        model = MODEL_APIS["local_realtime"].read({**SETTINGS, **settings})
        self.dialect = model.new_dialect(Brief("Be kind.", tools), PCMU, "auto", Ids.seeded(1))
        self.events: list[Any] = []
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._socket: ModelSocket

    async def open(self, port: int) -> None:
        url = self.dialect.url(f"http://127.0.0.1:{port}/v1")
        headers = self.dialect.request_headers("")
        self._socket = await ModelSocket.connect(url, headers, self._received, self._closed)
        self.dialect.connection_made(self._loop.time())
        self.flush()
        await self.first(SessionReady)

    async def close(self) -> None:
        self.dialect.connection_lost(self._loop.time())
        await self._socket.close()

    def _received(self, message: bytes) -> None:
        self.dialect.receive_message(message, self._loop.time())
        self.flush()

    def _closed(self, code: int, reason: str) -> None:
        self.events.append((code, reason))
        self._news.set()

    def flush(self) -> None:
        self.events += self.dialect.events_received()
        for message in self.dialect.messages_to_send():
            self._socket.send(message)
        self._news.set()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def first(self, kind: type, count: int = 1, **wanted: Any) -> Any:
        """Wait for the event that is the ``count``-th of its kind with such fields."""
        async with asyncio.timeout(60):
            while True:
                fitting = [
                    event
                    for event in self.of(kind)
                    if all(getattr(event, key) == value for key, value in wanted.items())
                ]
                if len(fitting) >= count:
                    return fitting[count - 1]
                self._news.clear()
                await self._news.wait()

    async def say(self, name: str) -> None:
        """Speak, twice as fast as people do."""
        audio = phrase(name, self.dialect.input_format)
        size = self.dialect.input_format.frame_bytes(60)
        for at in range(0, len(audio), size):
            self._socket.send_audio(self.dialect.append_message(audio[at : at + size]))
            await asyncio.sleep(0.03)


@asynccontextmanager
async def peer(*script: str, **settings: Any) -> AsyncIterator[tuple[Client, int]]:
    program = ROOT / "tests" / "support" / "speech_to_speech_peer.py"
    process = await asyncio.create_subprocess_exec(
        PYTHON, program, *script, stdout=asyncio.subprocess.PIPE, stderr=sys.stderr, env={}
    )
    assert process.stdout is not None
    client = Client(settings)
    try:
        async with asyncio.timeout(60):
            port = int(await process.stdout.readline())
        await client.open(port)
        yield client, port
        await client.close()
    finally:
        process.kill()
        await process.wait()


async def test_a_greeting_is_spoken_and_paid_for():
    async with peer("hello") as (client, _):
        ready = client.of(SessionReady)[0]
        assert (ready.input_format, ready.output_format) == (L16_24K, L16_24K)
        client.dialect.create_response("Greet the caller.")
        client.flush()
        finished = await client.first(ResponseFinished)
        assert (finished.status, finished.usage.total_tokens) == ("completed", 19)
        heard_ms = L16_24K.duration_ms(sum(len(d.audio) for d in client.of(AudioDelta)))
        assert heard_ms == pytest.approx(6000, abs=50)
        (said,) = client.of(TranscriptFinished)
        assert said.text == "You said: Greet the caller.."
        assert [item.text for item in client.dialect.history] == [said.text]


async def test_a_turn_is_heard_and_answered():
    async with peer("what time is it") as (client, _):
        await client.say("caller_question")
        await client.first(TranscriptFinished, role="assistant")
        assert client.of(SpeechStarted)
        assert client.of(SpeechStopped)
        said = [(event.role, event.text) for event in client.of(TranscriptFinished)]
        assert said == [
            ("user", "what time is it"),
            ("assistant", "You said: what time is it."),
        ]
        assert [item.text for item in client.dialect.history] == [text for _, text in said]


async def test_a_tool_is_called_and_its_output_spoken_of():
    async with peer("goodbye") as (client, _):
        await client.say("caller_goodbye")
        call = await client.first(ToolCallRequested)
        assert (call.name, call.arguments) == ("hangup", "{}")
        await client.first(ResponseFinished)
        client.dialect.send_tool_output(call.call_id, "done")
        client.flush()
        said = await client.first(TranscriptFinished, role="assistant")
        assert said.text == "You said: output done."
        assert not client.of(ModelError)


@pytest.mark.parametrize("truncates", [True, False])
async def test_a_barge_in_ends_the_answer(truncates: bool):
    async with peer("what time is it", "stop", item_truncate=truncates) as (client, _):
        await client.say("caller_question")
        delta = await client.first(AudioDelta, count=3)
        await client.say("caller_interrupt")
        finished = await client.first(ResponseFinished)
        assert (finished.status, finished.reason) == ("cancelled", "turn_detected")
        client.dialect.truncate_item(delta.item_id, 200)
        client.flush()
        said = await client.first(TranscriptFinished, count=2, role="assistant")
        assert said.text.endswith("stop.")
        # It takes a truncation without a word: only without that we know what it believes.
        assert bool(client.of(ItemTruncated)) != truncates
        (item,) = [item for item in client.dialect.history if item.item_id == delta.item_id]
        assert item.heard_ms == 200
        late = [d for d in client.of(AudioDelta) if d.response_id == finished.response_id]
        assert client.events.index(late[-1]) < client.events.index(finished)
        assert not client.of(ModelError)


async def test_an_answer_is_cancelled_on_our_word():
    async with peer("hello") as (client, _):
        client.dialect.create_response("Greet the caller.")
        client.flush()
        await client.first(AudioDelta, count=3)
        client.dialect.cancel_response()
        client.flush()
        finished = await client.first(ResponseFinished)
        assert finished.status == "cancelled"
        assert not client.of(ModelError)


async def test_an_answer_beside_the_conversation_leaves_no_trace():
    async with peer("hello") as (client, _):
        client.dialect.create_response("Say: one moment.", out_of_band=True)
        client.flush()
        finished = await client.first(ResponseFinished)
        assert client.of(ResponseStarted)[0].out_of_band
        assert finished.out_of_band
        assert client.dialect.history == ()


async def test_the_conversation_goes_on_in_a_new_session():
    async with peer("what time is it", "stop") as (client, port):
        await client.say("caller_question")
        await client.first(ResponseFinished)
        before = [(item.role, item.text) for item in client.dialect.history]
        await client.close()
        # The peer has one place, and takes its time to clear it.
        await asyncio.sleep(1.0)
        client.events.clear()
        await client.open(port)
        client.dialect.add_user_text("The caller pressed 5")
        client.dialect.create_response()
        client.flush()
        said = await client.first(TranscriptFinished, role="assistant")
        assert "The caller pressed 5" in said.text
        assert [(item.role, item.text) for item in client.dialect.history][: len(before)] == before
        assert not client.of(ModelError)


async def test_a_full_server_says_so():
    async with peer("hello") as (_, port):
        second = Client({})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await second.open(port)
        (error,) = second.of(ModelError)
        assert (error.code, error.fatal, error.retryable) == ("session_limit_reached", True, True)
        await second.close()
