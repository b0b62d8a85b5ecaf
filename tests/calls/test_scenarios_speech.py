"""Whole calls over SIP and RTP with a cascade whose ears and voices are the hosted services'."""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

import pytest

from telephony.net.speech import services
from telephony.net.speech.espeak_voice import EspeakConfig
from telephony.realtime.cascade.claude_messages import INTERRUPTED
from telephony.realtime.speech.deepgram_listen import DeepgramListenConfig
from telephony.realtime.speech.deepgram_speak import DeepgramSpeakConfig
from telephony.realtime.speech.elevenlabs_listen import ElevenLabsListenConfig
from telephony.realtime.speech.elevenlabs_speak import ElevenLabsSpeakConfig
from telephony.realtime.speech.openai_audio import SpeechConfig, TranscriptionsConfig
from telephony.realtime.speech.openai_transcription import OpenAITranscriptionConfig
from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech
from tests.support.cascades import CascadePhones, cascade_phones
from tests.support.eventually import eventually
from tests.support.scenes import PATIENCE_S, script, speech, until_silent
from tests.support.speech import PROMPTS, QUESTION

TALK = """\
  - {when: greeting, say: greeting}
  - {when: {heard: opening hours}, say: [opening_hours, weekend_hours]}
  - {when: {heard: "yes"}, say: short_answer}
  - {when: any, say: again}
"""


def transcriber(name: str, server: SpeechServer) -> Any:
    at = {"base_url": server.url.replace("http", "ws")}
    if name == "deepgram":
        config = DeepgramListenConfig.model_validate(at | {"eager_eot_threshold": 0.5})
        return services.deepgram_transcriber(config)
    if name == "elevenlabs":
        return services.elevenlabs_transcriber(ElevenLabsListenConfig.model_validate(at))
    if name == "openai_realtime":
        values = {"base_url": f"{at['base_url']}/v1"}
        return services.openai_realtime_transcriber(
            OpenAITranscriptionConfig.model_validate(values)
        )
    return services.openai_http_transcriber(
        TranscriptionsConfig.model_validate({"base_url": server.openai_url})
    )


def synthesizer(name: str, server: SpeechServer) -> Any:
    at = {"base_url": server.url.replace("http", "ws")}
    if name == "deepgram":
        return services.deepgram_synthesizer(DeepgramSpeakConfig.model_validate(at))
    if name == "elevenlabs":
        config = ElevenLabsSpeakConfig.model_validate(at | {"voice": "v"})
        return services.elevenlabs_synthesizer(config)
    if name == "espeak_ng":
        return services.espeak_synthesizer(EspeakConfig.model_validate({}))
    values = {"base_url": server.openai_url, "model": "local"}
    return services.openai_http_synthesizer(SpeechConfig.model_validate(values))


def words(message: dict[str, Any]) -> str:
    return " ".join(block.get("text", "") for block in message["content"])


def conversation(c: CascadePhones) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = c.claude.requests[-1].body["messages"]
    return messages


@pytest.mark.parametrize(
    ("stt", "tts"),
    [
        ("deepgram", "deepgram"),
        ("elevenlabs", "elevenlabs"),
        ("openai_realtime", "openai_http"),
        ("openai_http", "elevenlabs"),
    ],
)
async def test_a_question_is_answered_and_the_answer_interrupted(stt: str, tts: str) -> None:
    async with (
        serve_speech() as server,
        cascade_phones(
            script(TALK), stt=transcriber(stt, server), tts=synthesizer(tts, server)
        ) as c,
    ):
        caller = await c.phones.dial()
        await until_silent(caller, quiet_s=1.0)
        await caller.say(speech("caller_question"))
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(1.2)
        await caller.say(speech("caller_yes"))
        await until_silent(caller, quiet_s=1.0)
        await caller.hang_up()
        await eventually(lambda: c.phones.reception.active_calls == 0)
    assert all(asked.status == 200 for asked in c.claude.requests)
    said = [words(message) for message in conversation(c)]
    assert said[1] == PROMPTS["greeting"].text
    assert said[2] == QUESTION
    kept = said[3].removesuffix(INTERRUPTED)
    assert kept != said[3]
    assert PROMPTS["opening_hours"].text.startswith(kept)
    # A second of the answer was heard, no more than two.
    assert 5 <= len(kept) <= 50
    assert said[4] == PROMPTS["caller_yes"].text
    assert PROMPTS["short_answer"].text in [text.strip() for text in server.texts_said]


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is missing")
async def test_a_voice_without_a_network() -> None:
    async with (
        serve_speech() as server,
        cascade_phones(
            script(TALK),
            stt=transcriber("openai_http", server),
            tts=synthesizer("espeak_ng", server),
        ) as c,
    ):
        caller = await c.phones.dial()
        await until_silent(caller, quiet_s=1.0)
        await caller.say(speech("caller_yes"))
        await until_silent(caller, quiet_s=1.0)
        await caller.hang_up()
        await eventually(lambda: c.phones.reception.active_calls == 0)
    assert [words(m) for m in conversation(c)][1:] == [
        PROMPTS["greeting"].text,
        PROMPTS["caller_yes"].text,
    ]


async def test_ears_that_are_lost_in_a_call_are_replaced() -> None:
    async with serve_speech() as server:
        server.faults = FarEndFaults(drop_after_messages=6, requests=1)
        async with cascade_phones(
            script(TALK),
            stt=transcriber("deepgram", server),
            tts=synthesizer("openai_http", server),
        ) as c:
            caller = await c.phones.dial()
            await until_silent(caller, quiet_s=1.0)
            await caller.say(speech("caller_question"))
            await asyncio.sleep(1.5)
            await caller.say(speech("caller_yes"))
            await until_silent(caller, quiet_s=1.0)
            await caller.hang_up()
            await eventually(lambda: c.phones.reception.active_calls == 0)
    assert words(conversation(c)[-1]) == PROMPTS["caller_yes"].text
