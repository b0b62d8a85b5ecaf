"""Our voices against the rehearsal's far ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from telephony.audio.format import AudioFormat
from telephony.base.interfaces import ModelUnavailable
from telephony.base.speech import SynthesizerService, WireFormat
from telephony.net.speech import services
from telephony.realtime.speech.deepgram_speak import DeepgramSpeakConfig
from telephony.realtime.speech.elevenlabs_speak import ElevenLabsSpeakConfig
from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech
from tests.support.eventually import eventually
from tests.support.speech import PROMPTS, Spoken

PCMU = ("pcmu", 8000)
SERVICES = ("deepgram", "elevenlabs")
HOURS = PROMPTS["opening_hours"].text
DONE = PROMPTS["tool_done"].text


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[SpeechServer]:
    async with serve_speech(api_key="secret") as server:
        yield server


def service(
    name: str, server: SpeechServer, key: str = "secret", **more: object
) -> SynthesizerService:
    url = server.url.replace("http", "ws")
    values = {"api_key": key, "base_url": url, "stall_timeout_s": 0.5, **more}
    if name == "deepgram":
        return services.deepgram_synthesizer(DeepgramSpeakConfig.model_validate(values))
    values["voice"] = "voice-1"
    return services.elevenlabs_synthesizer(ElevenLabsSpeakConfig.model_validate(values))


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("line", [("pcmu", 8000), ("pcma", 8000), ("l16", 16000), ("l16", 24000)])
async def test_an_utterance_in_pieces(server: SpeechServer, name: str, line: WireFormat) -> None:
    spoken = Spoken()
    configured = service(name, server)
    form = configured.offered_format(line)
    voice = await configured.open(form, spoken)
    voice.speak("u1", f"{HOURS} ", more_follows=True)
    voice.speak("u1", DONE, more_follows=True)
    voice.speak("u1", "", more_follows=False)
    await eventually(lambda: spoken.finished == ["u1"])
    await voice.close()
    expected_ms = PROMPTS["opening_hours"].duration_ms + PROMPTS["tool_done"].duration_ms
    heard_ms = AudioFormat(*form).duration_ms(len(spoken.audio["u1"]))
    assert abs(heard_ms - expected_ms) < 5
    marks = spoken.marks["u1"]
    assert marks == sorted(marks, key=lambda m: (m.characters, m.audio_ms))
    assert marks[-1].characters == len(f"{HOURS} {DONE}")
    assert abs(marks[-1].audio_ms - expected_ms) < 5
    first = [m for m in marks if m.characters in (len(HOURS), len(HOURS) + 1)]
    assert first
    assert abs(first[0].audio_ms - PROMPTS["opening_hours"].duration_ms) < 60
    assert spoken.failures == []


async def test_elevenlabs_marks_every_word(server: SpeechServer) -> None:
    spoken = Spoken()
    voice = await service("elevenlabs", server).open(PCMU, spoken)
    voice.speak("u1", HOURS, more_follows=False)
    await eventually(lambda: spoken.finished == ["u1"])
    await voice.close()
    ends = {mark.characters for mark in spoken.marks["u1"]}
    words = HOURS.split(" ")
    position, missed = 0, []
    for word in words:
        position += len(word)
        if position not in ends:
            missed.append(word)
        position += 1
    assert missed == []


@pytest.mark.parametrize("name", SERVICES)
async def test_utterances_are_spoken_one_after_the_other(server: SpeechServer, name: str) -> None:
    spoken = Spoken()
    voice = await service(name, server).open(PCMU, spoken)
    voice.speak("u1", HOURS, more_follows=True)
    voice.speak("u2", DONE, more_follows=False)
    voice.speak("u3", " - ", more_follows=False)
    voice.speak("u1", DONE, more_follows=False)
    await eventually(lambda: spoken.finished == ["u1", "u2", "u3"])
    await voice.close()
    assert spoken.order == ["u1", "u2"]
    assert spoken.marks["u3"][-1].characters == 3


@pytest.mark.parametrize("name", SERVICES)
async def test_a_cancelled_utterance_is_silent_and_the_next_is_not(
    server: SpeechServer, name: str
) -> None:
    spoken = Spoken()
    voice = await service(name, server).open(PCMU, spoken)
    voice.speak("u1", f"{HOURS} " * 5, more_follows=True)
    await eventually(lambda: "u1" in spoken.audio)
    heard = len(spoken.audio["u1"])
    voice.cancel("u1")
    voice.speak("u1", "more of it", more_follows=False)
    voice.speak("u2", DONE, more_follows=False)
    await eventually(lambda: spoken.finished == ["u2"])
    voice.cancel("u2")
    voice.cancel("never heard of")
    await voice.close()
    assert len(spoken.audio["u1"]) == heard
    assert abs(len(spoken.audio["u2"]) / 8 - PROMPTS["tool_done"].duration_ms) < 5


@pytest.mark.parametrize("name", SERVICES)
async def test_one_cancelled_before_it_began(server: SpeechServer, name: str) -> None:
    spoken = Spoken()
    voice = await service(name, server).open(PCMU, spoken)
    voice.speak("u1", HOURS, more_follows=False)
    voice.cancel("u1")
    voice.speak("u2", DONE, more_follows=False)
    await eventually(lambda: spoken.finished == ["u2"])
    await voice.close()
    assert spoken.order == ["u2"]


async def test_more_barge_ins_than_there_may_be_contexts(server: SpeechServer) -> None:
    spoken = Spoken()
    voice = await service("elevenlabs", server).open(PCMU, spoken)
    for number in range(12):
        voice.speak(f"u{number}", f"{HOURS} ", more_follows=True)
        voice.cancel(f"u{number}")
    voice.speak("last", DONE, more_follows=False)
    await eventually(lambda: spoken.finished == ["last"])
    await voice.close()
    assert spoken.failures == []
    assert spoken.order == ["last"]


@pytest.mark.parametrize("name", SERVICES)
async def test_a_connection_that_ends_in_silence_is_replaced(
    server: SpeechServer, name: str
) -> None:
    spoken = Spoken()
    voice = await service(name, server).open(PCMU, spoken)
    voice.speak("u1", DONE, more_follows=False)
    await eventually(lambda: spoken.finished == ["u1"])
    for socket in list(server._sockets):
        await socket.close(code=1000)
    await eventually(lambda: voice._socket is None)  # type: ignore[attr-defined]
    voice.speak("u2", HOURS, more_follows=False)
    await eventually(lambda: spoken.finished == ["u1", "u2"])
    await voice.close()
    assert spoken.failures == []
    assert server.requests == 2


@pytest.mark.parametrize("name", SERVICES)
async def test_a_connection_lost_in_a_word_is_told_once(server: SpeechServer, name: str) -> None:
    server.faults = FarEndFaults(drop_after_messages=4)
    spoken = Spoken()
    voice = await service(name, server).open(PCMU, spoken)
    voice.speak("u1", HOURS, more_follows=False)
    voice.speak("u2", HOURS, more_follows=False)
    await eventually(lambda: bool(spoken.failures))
    voice.speak("u3", HOURS, more_follows=False)
    await voice.close()
    assert [(f.fatal, f.retryable, who) for f, who in spoken.failures] == [(True, True, "")]
    assert spoken.finished == []


@pytest.mark.parametrize("name", SERVICES)
async def test_a_wrong_key(server: SpeechServer, name: str) -> None:
    with pytest.raises(ModelUnavailable) as refused:
        await service(name, server, "wrong").open(PCMU, Spoken())
    assert refused.value.fatal


@pytest.mark.parametrize("name", SERVICES)
async def test_a_voice_that_falls_silent_is_given_up(server: SpeechServer, name: str) -> None:
    server.faults = FarEndFaults(mute=True)
    spoken = Spoken()
    voice = await service(name, server).open(PCMU, spoken)
    voice.speak("u1", HOURS, more_follows=False)
    await eventually(lambda: bool(spoken.failures))
    await voice.close()
    assert [f.code for f, _ in spoken.failures] == ["stalled"]


@pytest.mark.parametrize(
    ("name", "error", "retryable"),
    [
        ("deepgram", "NET-0000", True),
        ("elevenlabs", "quota_exceeded", False),
        ("elevenlabs", "system_busy", True),
    ],
)
async def test_errors_say_whether_to_try_again(
    server: SpeechServer, name: str, error: str, retryable: bool
) -> None:
    server.faults = FarEndFaults(error=error)
    spoken = Spoken()
    voice = await service(name, server).open(PCMU, spoken)
    voice.speak("u1", HOURS, more_follows=False)
    await eventually(lambda: bool(spoken.failures))
    await voice.close()
    assert [(f.code, f.fatal, f.retryable) for f, _ in spoken.failures] == [
        (error, True, retryable)
    ]


@pytest.mark.parametrize("name", SERVICES)
async def test_garbage_is_passed_over(server: SpeechServer, name: str) -> None:
    server.faults = FarEndFaults(garbage=5)
    spoken = Spoken()
    voice = await service(name, server).open(PCMU, spoken)
    voice.speak("u1", DONE, more_follows=False)
    await eventually(lambda: spoken.finished == ["u1"])
    await voice.close()
    assert spoken.failures == []
