"""Our transcribers against the rehearsal's far ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from telephony.base.interfaces import ModelUnavailable
from telephony.base.speech import TranscriberService, WireFormat
from telephony.net.speech import services
from telephony.realtime.speech.deepgram_listen import DeepgramListenConfig
from telephony.realtime.speech.elevenlabs_listen import ElevenLabsListenConfig
from telephony.realtime.speech.openai_transcription import OpenAITranscriptionConfig
from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech
from tests.support.eventually import eventually
from tests.support.speech import GOODBYE, QUESTION, Heard, say

PCMU = ("pcmu", 8000)
SERVICES = ("deepgram", "elevenlabs", "openai_realtime")


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[SpeechServer]:
    async with serve_speech(api_key="secret") as server:
        yield server


def service(
    name: str, server: SpeechServer, key: str = "secret", **more: object
) -> TranscriberService:
    url = server.url.replace("http", "ws")
    if name == "deepgram":
        config = DeepgramListenConfig.model_validate(
            {"api_key": key, "base_url": url, "flush_timeout_s": 1.5, **more}
        )
        return services.deepgram_transcriber(config)
    if name == "elevenlabs":
        return services.elevenlabs_transcriber(
            ElevenLabsListenConfig.model_validate({"api_key": key, "base_url": url, **more})
        )
    return services.openai_realtime_transcriber(
        OpenAITranscriptionConfig.model_validate({"api_key": key, "base_url": f"{url}/v1", **more})
    )


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("line", [("pcmu", 8000), ("pcma", 8000), ("l16", 16000), ("l16", 24000)])
async def test_turns_become_text_in_order(
    server: SpeechServer, name: str, line: WireFormat
) -> None:
    heard = Heard()
    configured = service(name, server)
    form = configured.accepted_format(line)
    transcriber = await configured.open(form, heard)
    for count, phrase in enumerate(("caller_question", "caller_goodbye"), 1):
        await say(transcriber, phrase, form, quiet_ms=100)
        transcriber.finish_turn()
        await eventually(lambda count=count: heard.flushed == count)
    await transcriber.close()
    assert heard.finals == [QUESTION, GOODBYE]
    assert heard.failures == []
    assert list(server.texts_heard) == [QUESTION, GOODBYE]


@pytest.mark.parametrize("name", SERVICES)
async def test_a_turn_of_silence_is_flushed_without_a_word(server: SpeechServer, name: str) -> None:
    heard = Heard()
    transcriber = await service(name, server).open(PCMU, heard)
    transcriber.finish_turn()
    assert heard.flushed == 0
    await eventually(lambda: heard.flushed == 1)
    transcriber.send_audio(b"\xff" * 8000)
    transcriber.finish_turn()
    await eventually(lambda: heard.flushed == 2)
    await transcriber.close()
    assert heard.finals == []
    assert heard.failures == []


@pytest.mark.parametrize("name", ["deepgram", "elevenlabs"])
async def test_a_service_may_find_the_end_of_a_turn(server: SpeechServer, name: str) -> None:
    heard = Heard()
    more = {} if name == "deepgram" else {"commit_strategy": "vad"}
    transcriber = await service(name, server, **more).open(PCMU, heard)
    await say(transcriber, "caller_question", PCMU, quiet_ms=1000)
    await eventually(lambda: heard.hints == ["ended"])
    await transcriber.close()
    assert heard.finals == [QUESTION]
    assert heard.flushed == 0


async def test_a_likely_end_is_told_and_taken_back(server: SpeechServer) -> None:
    heard = Heard()
    transcriber = await service("deepgram", server, eager_eot_threshold=0.5).open(PCMU, heard)
    await say(transcriber, "caller_yes", PCMU, quiet_ms=320)
    await eventually(lambda: heard.hints == ["likely"])
    await say(transcriber, "caller_goodbye", PCMU, quiet_ms=1000)
    await eventually(lambda: heard.hints[-1] == "ended")
    await transcriber.close()
    assert heard.hints[:2] == ["likely", "resumed"]
    ended = heard.transcripts[-1]
    assert ended.is_final
    assert ended.audio_ms > 3000


@pytest.mark.parametrize("name", SERVICES)
async def test_a_wrong_key_is_of_no_use_twice(server: SpeechServer, name: str) -> None:
    with pytest.raises(ModelUnavailable) as refused:
        await service(name, server, "wrong").open(PCMU, Heard())
    assert refused.value.fatal
    assert "wrong" not in refused.value.reason


@pytest.mark.parametrize("name", SERVICES)
async def test_too_many_requests_may_do_better_later(server: SpeechServer, name: str) -> None:
    server.faults = FarEndFaults(refuse_status=429)
    with pytest.raises(ModelUnavailable) as refused:
        await service(name, server).open(PCMU, Heard())
    assert not refused.value.fatal


@pytest.mark.parametrize("name", SERVICES)
async def test_garbage_is_passed_over(server: SpeechServer, name: str) -> None:
    server.faults = FarEndFaults(garbage=5)
    heard = Heard()
    transcriber = await service(name, server).open(PCMU, heard)
    await say(transcriber, "caller_question", PCMU, quiet_ms=100)
    transcriber.finish_turn()
    await eventually(lambda: heard.flushed == 1)
    await transcriber.close()
    assert heard.finals == [QUESTION]
    wire = transcriber.wire  # type: ignore[attr-defined]
    assert wire.stats.messages_malformed >= 3


@pytest.mark.parametrize("name", SERVICES)
async def test_a_lost_connection_is_told_once(server: SpeechServer, name: str) -> None:
    server.faults = FarEndFaults(drop_after_messages=2)
    heard = Heard()
    transcriber = await service(name, server).open(PCMU, heard)
    await say(transcriber, "caller_question", PCMU, quiet_ms=100)
    transcriber.finish_turn()
    await eventually(lambda: bool(heard.failures))
    await transcriber.close()
    assert [(f.fatal, f.retryable) for f in heard.failures] == [(True, True)]
    await transcriber.close()


@pytest.mark.parametrize(
    ("name", "error", "retryable"),
    [
        ("deepgram", "INTERNAL_SERVER_ERROR", True),
        ("elevenlabs", "quota_exceeded", False),
        ("elevenlabs", "rate_limited", True),
    ],
)
async def test_errors_say_whether_to_try_again(
    server: SpeechServer, name: str, error: str, retryable: bool
) -> None:
    server.faults = FarEndFaults(error=error)
    heard = Heard()
    transcriber = await service(name, server).open(PCMU, heard)
    await say(transcriber, "caller_question", PCMU, quiet_ms=100)
    transcriber.finish_turn()
    await eventually(lambda: bool(heard.failures))
    await transcriber.close()
    assert [(f.code, f.fatal, f.retryable) for f in heard.failures] == [(error, True, retryable)]


async def test_a_turn_that_failed_is_flushed_all_the_same(server: SpeechServer) -> None:
    server.faults = FarEndFaults(error="overloaded")
    heard = Heard()
    transcriber = await service("openai_realtime", server).open(PCMU, heard)
    for count in (1, 2):
        await say(transcriber, "caller_question", PCMU, quiet_ms=100)
        transcriber.finish_turn()
        await eventually(lambda count=count: heard.flushed == count)
    await transcriber.close()
    assert [(f.code, f.fatal) for f in heard.failures] == [("overloaded", False)]
    assert heard.finals == [QUESTION]


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_that_says_nothing_is_not_waited_for(
    server: SpeechServer, name: str
) -> None:
    server.faults = FarEndFaults(mute=True)
    configured = service(name, server)
    configured._open_timeout_s = 1.0  # type: ignore[attr-defined]
    with pytest.raises(ModelUnavailable) as error:
        await configured.open(PCMU, Heard())
    assert not error.value.fatal
