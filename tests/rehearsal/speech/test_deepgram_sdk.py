"""Deepgram's SDK is the judge of our far end: it connects, speaks and reads, and every message must
be one of its types, whole."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from telephony.audio.format import PCMU
from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech
from tests.support.speech import PROMPTS, QUESTION, phrase

with warnings.catch_warnings():
    # What the SDK does at its import is its own affair.
    warnings.simplefilter("ignore")
    import deepgram
    from deepgram.environment import DeepgramClientEnvironment
    from deepgram.listen.v2 import types as listen
    from deepgram.speak.v2 import types as speak

_LISTEN = {
    "Connected": listen.ListenV2Connected,
    "TurnInfo": listen.ListenV2TurnInfo,
    "ConfigureSuccess": listen.ListenV2ConfigureSuccess,
    "Error": listen.ListenV2FatalError,
}
_SPEAK = {
    "Connected": speak.SpeakV2Connected,
    "SpeechStarted": speak.SpeakV2SpeechStarted,
    "Flushed": speak.SpeakV2Flushed,
    "SpeechMetadata": speak.SpeakV2SpeechMetadata,
    "SpeechInterrupted": speak.SpeakV2SpeechInterrupted,
    "SessionMetadata": speak.SpeakV2SessionMetadata,
    "Warning": speak.SpeakV2Warning,
}
VOICE = "flux-alexis-en"

# Of what the SDK uses of websockets, some is deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[SpeechServer]:
    async with serve_speech(api_key="secret") as server:
        yield server


def client(server: SpeechServer, key: str = "secret") -> Any:
    socket = server.url.replace("http", "ws")
    environment = DeepgramClientEnvironment(
        base=server.url, production=socket, agent=socket, agent_rest=server.url
    )
    return deepgram.DeepgramClient(api_key=key, environment=environment)


async def in_thread(talk: Callable[[], Any]) -> Any:
    """The SDK's asynchronous client wants a websockets older than ours; this one blocks."""
    return await asyncio.wait_for(asyncio.to_thread(talk), 60)


def checked(message: Any, types: dict[str, Any]) -> Any:
    """Return the message, which the lenient SDK takes as it is, as the type it must be."""
    if isinstance(message, bytes):
        return message
    known = types[message.type]
    assert isinstance(message, known)
    return known.model_validate(message.model_dump(exclude_unset=True), strict=True)


async def test_listen(server: SpeechServer) -> None:
    audio = phrase("caller_question", PCMU) + PCMU.silence(8000)

    def talk() -> list[Any]:
        messages: list[Any] = []
        with client(server).listen.v2.connect(
            model="flux-general-en", encoding="mulaw", sample_rate=8000, eager_eot_threshold=0.5
        ) as socket:
            messages.append(checked(socket.recv(), _LISTEN))
            for at in range(0, len(audio), 640):
                socket.send_media(audio[at : at + 640])
            while messages[-1].type != "TurnInfo" or messages[-1].event != "EndOfTurn":
                messages.append(checked(socket.recv(), _LISTEN))
            socket.send_close_stream()
        return messages

    messages = await in_thread(talk)
    assert messages[0].type == "Connected"
    events = [m.event for m in messages[1:]]
    assert events[0] == "StartOfTurn"
    assert [e for e in events if e != "Update"] == ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]
    assert messages[-1].transcript == QUESTION
    assert messages[-1].trigger == "model"
    assert [m.sequence_id for m in messages] == list(range(len(messages)))


async def test_force_end_turn(server: SpeechServer) -> None:
    audio = phrase("caller_question", PCMU)

    def talk() -> Any:
        with client(server).listen.v2.connect(
            model="flux-general-en", encoding="mulaw", sample_rate=8000, eot_threshold=1.0
        ) as socket:
            socket.send_media(audio)
            socket.send_force_end_turn()
            message = checked(socket.recv(), _LISTEN)
            while message.type != "TurnInfo" or message.event != "EndOfTurn":
                message = checked(socket.recv(), _LISTEN)
            return message

    ended = await in_thread(talk)
    assert (ended.transcript, ended.trigger) == (QUESTION, "manual")


async def test_speak(server: SpeechServer) -> None:
    text = PROMPTS["greeting"].text

    def talk() -> list[Any]:
        messages: list[Any] = []
        with client(server).speak.v2.connect(
            model=VOICE, encoding="mulaw", sample_rate="8000"
        ) as socket:
            socket.send_speak(speak.SpeakV2Speak(text=text))
            socket.send_flush()
            while not messages or getattr(messages[-1], "type", "") != "SpeechMetadata":
                messages.append(checked(socket.recv(), _SPEAK))
            socket.send_close()
            messages.append(checked(socket.recv(), _SPEAK))
        return messages

    messages = await in_thread(talk)
    kinds = [m.type for m in messages if not isinstance(m, bytes)]
    assert kinds == ["Connected", "SpeechStarted", "Flushed", "SpeechMetadata", "SessionMetadata"]
    audio = b"".join(m for m in messages if isinstance(m, bytes))
    assert abs(len(audio) / 8 - PROMPTS["greeting"].duration_ms) < 5
    assert messages[-2].input_character_count == len(text)


async def test_interrupt(server: SpeechServer) -> None:
    text = PROMPTS["opening_hours"].text * 20

    def talk() -> list[str]:
        kinds: list[str] = []
        with client(server).speak.v2.connect(
            model=VOICE, encoding="mulaw", sample_rate="8000"
        ) as socket:
            socket.send_speak(speak.SpeakV2Speak(text=text))
            socket.send_flush()
            while not isinstance(checked(socket.recv(), _SPEAK), bytes):
                pass
            socket.send_interrupt()
            while "SpeechInterrupted" not in kinds:
                message = checked(socket.recv(), _SPEAK)
                if not isinstance(message, bytes):
                    kinds.append(message.type)
            socket.send_interrupt()
            kinds.append(checked(socket.recv(), _SPEAK).code)
        return kinds

    assert await in_thread(talk) == ["SpeechInterrupted", "NO_ACTIVE_SPEECH"]


@pytest.mark.parametrize(("key", "faults", "status"), [("wrong", None, 401), ("secret", 429, 429)])
async def test_refusals(server: SpeechServer, key: str, faults: int | None, status: int) -> None:
    server.faults = FarEndFaults(refuse_status=faults)

    def talk() -> None:
        connect = client(server, key).listen.v2.connect
        with connect(model="flux-general-en", encoding="mulaw", sample_rate=8000):
            pass

    with pytest.raises(InvalidStatus) as refused:
        await in_thread(talk)
    assert refused.value.response.status_code == status


async def test_an_unknown_model_is_refused(server: SpeechServer) -> None:
    def talk() -> None:
        with client(server).speak.v2.connect(model="aura-2-thalia-en"):
            pass

    with pytest.raises(InvalidStatus) as refused:
        await in_thread(talk)
    assert refused.value.response.status_code == 400
