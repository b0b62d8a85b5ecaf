from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from telephony.audio.format import L16_8K
from telephony.net.speech.file_transcriber import FileTranscriber, FileTranscriberConfig
from telephony.net.speech.turn_transcriber import SpeechError
from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech
from tests.support.speech import QUESTION, phrase

AUDIO = phrase("caller_question", L16_8K)


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[SpeechServer]:
    async with serve_speech() as server:
        yield server


def transcriber(server: SpeechServer, **more: object) -> FileTranscriber:
    config = FileTranscriberConfig.model_validate({"base_url": server.openai_url, **more})
    return FileTranscriber(config, retry_s=0.01)


@pytest.mark.parametrize("via", ["transcriptions", "chat"])
async def test_text(server: SpeechServer, via: str) -> None:
    async with transcriber(server, via=via, language="en") as asked:
        assert await asked.transcribe(AUDIO, 8000) == QUESTION
        assert await asked.transcribe(bytes(16000), 8000) == ""


async def test_a_summary(server: SpeechServer) -> None:
    async with transcriber(server) as asked:
        assert await asked.summarise("caller: Hello.") == "Summary: caller: Hello."


@pytest.mark.parametrize(
    ("faults", "tries"),
    [
        (FarEndFaults(refuse_status=503, requests=2), 3),
        (FarEndFaults(refuse_status=429, requests=1), 2),
        (FarEndFaults(mute=True, requests=1), 2),
    ],
)
async def test_what_may_do_better_is_tried_again(
    server: SpeechServer, faults: FarEndFaults, tries: int
) -> None:
    server.faults = faults
    async with transcriber(server, timeout_s=3.0) as asked:
        assert await asked.transcribe(AUDIO, 8000) == QUESTION
    assert server.requests == tries


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (401, 1), (500, 3)])
async def test_what_does_not_is_not(server: SpeechServer, status: int, tries: int) -> None:
    server.faults = FarEndFaults(refuse_status=status)
    async with transcriber(server) as asked:
        with pytest.raises(SpeechError, match=str(status)):
            await asked.transcribe(AUDIO, 8000)
    assert server.requests == tries
