"""Recordings of every kind to text, against the rehearsal's server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telephony.app.transcribing import transcribe_file
from telephony.audio.wav import write_wav
from telephony.calls.recording_encoders import RecordingFormat
from telephony.calls.recording_reader import CannotRead
from telephony.net.speech.file_transcriber import FileTranscriberConfig
from telephony.net.speech.turn_transcriber import SpeechError
from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech
from tests.support.recordings import DIALOGUE, LENGTH_S, channel, record
from tests.support.speech import PROMPTS

KEY = bytes(range(32))


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[SpeechServer]:
    async with serve_speech(api_key="secret") as server:
        yield server


def config(server: SpeechServer, **more: object) -> FileTranscriberConfig:
    values = {"api_key": "secret", "base_url": server.openai_url, **more}
    return FileTranscriberConfig.model_validate(values)


@pytest.mark.parametrize("kind", ["wav", "flac", "opus"])
@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("via", ["transcriptions", "chat"])
async def test_who_said_what_when(
    server: SpeechServer, tmp_path: Path, kind: RecordingFormat, key: bytes | None, via: str
) -> None:
    path = await record(tmp_path, kind, key)
    transcript = await transcribe_file(path, key, config(server, via=via))
    assert [(p.speaker, p.text) for p in transcript.parts] == [
        (who, PROMPTS[name].text) for who, _, name in DIALOGUE
    ]
    for part, (_, start_s, name) in zip(transcript.parts, DIALOGUE, strict=True):
        assert abs(part.start_s - start_s) < 0.5
        assert abs(part.end_s - start_s - PROMPTS[name].duration_ms / 1000) < 0.6
    assert transcript.duration_s == pytest.approx(LENGTH_S, abs=0.05)
    assert transcript.missing == 0
    assert transcript.summary is None
    assert os.listdir(tmp_path) == [path.name]


async def test_a_summary_and_a_name_for_the_bot(server: SpeechServer, tmp_path: Path) -> None:
    path = await record(tmp_path)
    transcript = await transcribe_file(path, None, config(server), summary=True, bot="Anna")
    assert transcript.summary is not None
    assert transcript.summary.startswith("Summary: ")
    assert transcript.parts[0].speaker == "Anna"


async def test_one_channel_is_one_speaker(server: SpeechServer, tmp_path: Path) -> None:
    path = tmp_path / "voicemail.wav"
    path.write_bytes(write_wav(channel("caller"), 8000))
    transcript = await transcribe_file(path, None, config(server))
    assert {part.speaker for part in transcript.parts} == {"speaker"}
    assert len(transcript.parts) == 2


async def test_a_recording_of_nobody(server: SpeechServer, tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    path.write_bytes(write_wav(bytes(160000), 8000))
    transcript = await transcribe_file(path, None, config(server), summary=True)
    assert transcript.parts == ()
    assert server.requests == 0


async def test_a_server_that_refuses_once_is_asked_again(
    server: SpeechServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telephony.net.speech.file_transcriber._RETRY_S", 0.01)
    server.faults = FarEndFaults(refuse_status=503, requests=3)
    path = await record(tmp_path)
    transcript = await transcribe_file(path, None, config(server))
    assert len(transcript.parts) == 4


async def test_what_cannot_be_had_is_missing(server: SpeechServer, tmp_path: Path) -> None:
    server.faults = FarEndFaults(refuse_status=400)
    path = await record(tmp_path)
    transcript = await transcribe_file(path, None, config(server))
    assert transcript.parts == ()
    assert transcript.missing == 4


async def test_a_wrong_key_ends_it_at_once(server: SpeechServer, tmp_path: Path) -> None:
    path = await record(tmp_path)
    with pytest.raises(SpeechError, match="401"):
        await transcribe_file(path, None, config(server, api_key="wrong"))


async def test_a_sealed_recording_needs_its_key(server: SpeechServer, tmp_path: Path) -> None:
    path = await record(tmp_path, key=KEY)
    with pytest.raises(CannotRead, match="no key"):
        await transcribe_file(path, None, config(server))
