"""Speech over HTTP against the rehearsal's far ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from telephony.audio.format import AudioFormat
from telephony.base.speech import SynthesizerService, TranscriberService, WireFormat
from telephony.net.speech import services
from telephony.realtime.speech.openai_audio import SpeechConfig, TranscriptionsConfig
from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech
from tests.support.eventually import eventually
from tests.support.speech import GOODBYE, PROMPTS, QUESTION, Heard, Spoken, say

PCMU = ("pcmu", 8000)
LINES = [("pcmu", 8000), ("pcma", 8000), ("l16", 16000), ("l16", 24000)]
HOURS = PROMPTS["opening_hours"].text
DONE = PROMPTS["tool_done"].text


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[SpeechServer]:
    async with serve_speech(api_key="secret") as server:
        yield server


def transcriber(server: SpeechServer, **more: object) -> TranscriberService:
    values = {"api_key": "secret", "base_url": server.openai_url, **more}
    return services.openai_http_transcriber(TranscriptionsConfig.model_validate(values))


def synthesizer(server: SpeechServer, **more: object) -> SynthesizerService:
    values = {"api_key": "secret", "base_url": server.openai_url, "model": "local", **more}
    return services.openai_http_synthesizer(SpeechConfig.model_validate(values))


# Speech to text


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("stream", [True, False])
async def test_turns_become_text_in_order(
    server: SpeechServer, line: WireFormat, stream: bool
) -> None:
    heard = Heard()
    service = transcriber(server, stream=stream)
    session = await service.open(service.accepted_format(line), heard)
    for phrase in ("caller_question", "caller_goodbye"):
        await say(session, phrase, line, quiet_ms=400)
        session.finish_turn()
    assert heard.order == []
    await eventually(lambda: heard.flushed == 2)
    await session.close()
    assert heard.finals == [QUESTION, GOODBYE]
    assert ("interim" in heard.order) is stream
    assert heard.order[-2:] == ["final", "flushed"]
    assert heard.failures == []


async def test_silence_costs_nothing(server: SpeechServer) -> None:
    heard = Heard()
    session = await transcriber(server).open(PCMU, heard)
    session.send_audio(b"\xff" * 80000)
    session.finish_turn()
    await eventually(lambda: heard.flushed == 1)
    await session.close()
    assert server.requests == 0
    assert heard.transcripts[0].text == ""
    assert heard.transcripts[0].audio_ms == 10000


@pytest.mark.parametrize(
    ("faults", "code", "fatal"),
    [
        (FarEndFaults(refuse_status=429, requests=1), "rate_limit_exceeded", False),
        (FarEndFaults(refuse_status=500, requests=1), "server_error", False),
        (FarEndFaults(mute=True, requests=1), "unreachable", False),
        (FarEndFaults(drop_after_messages=1, requests=1), "unreachable", False),
    ],
)
async def test_a_turn_that_fails_is_flushed_and_the_next_one_goes_on(
    server: SpeechServer, faults: FarEndFaults, code: str, fatal: bool
) -> None:
    server.faults = faults
    heard = Heard()
    session = await transcriber(server, timeout_s=3.0).open(PCMU, heard)
    for phrase in ("caller_question", "caller_goodbye"):
        await say(session, phrase, PCMU, quiet_ms=400)
        session.finish_turn()
    await eventually(lambda: heard.flushed == 2)
    await session.close()
    assert [(f.code, f.fatal) for f in heard.failures] == [(code, fatal)]
    assert heard.finals == [GOODBYE]


async def test_a_wrong_key_ends_the_session(server: SpeechServer) -> None:
    heard = Heard()
    session = await transcriber(server, api_key="wrong").open(PCMU, heard)
    for _ in range(2):
        await say(session, "caller_question", PCMU, quiet_ms=400)
        session.finish_turn()
    await eventually(lambda: bool(heard.failures))
    session.finish_turn()
    await session.close()
    assert [(f.fatal, f.retryable) for f in heard.failures] == [(True, False)]
    assert "wrong" not in heard.failures[0].message
    assert heard.flushed == 0


async def test_garbage_in_the_stream(server: SpeechServer) -> None:
    server.faults = FarEndFaults(garbage=3)
    heard = Heard()
    session = await transcriber(server).open(PCMU, heard)
    await say(session, "caller_question", PCMU, quiet_ms=400)
    session.finish_turn()
    await eventually(lambda: heard.flushed == 1)
    await session.close()
    assert heard.finals == [QUESTION]


async def test_more_turns_than_may_wait(server: SpeechServer) -> None:
    server.faults = FarEndFaults(slow_ms=100)
    heard = Heard()
    session = await transcriber(server).open(PCMU, heard)
    for _ in range(12):
        await say(session, "caller_yes", PCMU)
        session.finish_turn()
    await eventually(lambda: heard.flushed == 12)
    await session.close()
    assert session.turns_dropped > 0  # type: ignore[attr-defined]


async def test_nothing_is_told_after_the_end(server: SpeechServer) -> None:
    server.faults = FarEndFaults(slow_ms=50)
    heard = Heard()
    session = await transcriber(server).open(PCMU, heard)
    await say(session, "caller_question", PCMU)
    session.finish_turn()
    await session.close()
    await session.close()
    session.finish_turn()
    assert heard.order == []


# Text to speech


@pytest.mark.parametrize("line", LINES)
async def test_an_utterance_in_pieces(server: SpeechServer, line: WireFormat) -> None:
    spoken = Spoken()
    service = synthesizer(server)
    assert service.offered_format(line) == line
    voice = await service.open(line, spoken)
    voice.speak("u", f"{HOURS} ", more_follows=True)
    voice.speak("u", DONE, more_follows=False)
    assert spoken.order == []
    await eventually(lambda: spoken.finished == ["u"])
    await voice.close()
    hours_ms, done_ms = PROMPTS["opening_hours"].duration_ms, PROMPTS["tool_done"].duration_ms
    heard_ms = AudioFormat(*line).duration_ms(len(spoken.audio["u"]))
    assert abs(heard_ms - hours_ms - done_ms) < 2
    assert [m.characters for m in spoken.marks["u"]] == [len(HOURS) + 1, len(HOURS) + 1 + len(DONE)]
    assert abs(spoken.marks["u"][0].audio_ms - hours_ms) < 2
    assert list(server.texts_said) == [f"{HOURS} ", DONE]


async def test_a_cancelled_utterance_is_silent_and_the_next_is_not(server: SpeechServer) -> None:
    spoken = Spoken()
    voice = await synthesizer(server).open(PCMU, spoken)
    voice.speak("u1", HOURS * 4, more_follows=False)
    await eventually(lambda: "u1" in spoken.audio)
    heard = len(spoken.audio["u1"])
    voice.cancel("u1")
    voice.speak("u2", DONE, more_follows=False)
    await eventually(lambda: spoken.finished == ["u2"])
    await voice.close()
    assert len(spoken.audio["u1"]) == heard


async def test_one_cancelled_at_once(server: SpeechServer) -> None:
    spoken = Spoken()
    voice = await synthesizer(server).open(PCMU, spoken)
    for number in range(3):
        voice.speak(f"u{number}", HOURS, more_follows=False)
        voice.cancel(f"u{number}")
    voice.speak("u3", DONE, more_follows=False)
    await eventually(lambda: spoken.finished == ["u3"])
    await voice.close()
    assert spoken.order == ["u3"]


@pytest.mark.parametrize(
    "faults",
    [
        FarEndFaults(refuse_status=429, requests=1),
        FarEndFaults(mute=True, requests=1),
        FarEndFaults(drop_after_messages=2, requests=1),
    ],
)
async def test_what_cannot_be_spoken_is_told_and_the_next_is(
    server: SpeechServer, faults: FarEndFaults
) -> None:
    server.faults = faults
    spoken = Spoken()
    voice = await synthesizer(server, timeout_s=3.0).open(PCMU, spoken)
    voice.speak("u1", HOURS, more_follows=False)
    voice.speak("u2", DONE, more_follows=False)
    await eventually(lambda: spoken.finished == ["u2"])
    await voice.close()
    assert [(f.fatal, f.retryable, who) for f, who in spoken.failures] == [(False, True, "u1")]


async def test_a_wrong_key_ends_the_voice(server: SpeechServer) -> None:
    spoken = Spoken()
    voice = await synthesizer(server, api_key="wrong").open(PCMU, spoken)
    voice.speak("u1", HOURS, more_follows=False)
    voice.speak("u2", HOURS, more_follows=False)
    await eventually(lambda: bool(spoken.failures))
    voice.speak("u3", HOURS, more_follows=False)
    voice.cancel("u3")
    await voice.close()
    assert [(f.fatal, f.retryable, who) for f, who in spoken.failures] == [(True, False, "")]
