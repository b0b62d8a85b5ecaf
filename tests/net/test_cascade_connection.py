"""The shell of a cascade: three services behind one connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.base.interfaces import ModelConnection, ModelUnavailable
from telephony.base.speech import (
    SpeechFailure,
    SpeechMark,
    SynthesizerListener,
    TranscriberListener,
    Transcript,
    WireFormat,
)
from telephony.net.cascade_connection import CascadeConnection, CascadeOpener
from telephony.net.claude import ClaudeClient
from telephony.realtime.cascade import messages as say
from telephony.realtime.cascade.cascade import Cascade
from telephony.realtime.cascade.config import API_VERSION
from telephony.realtime.dialect import Brief
from telephony.rehearsal.anthropic.claude_server import ClaudeServer, serve_claude
from telephony.rehearsal.scenario import Scenario
from tests.net.test_claude import BODY, SHORT
from tests.support.cascades import config
from tests.support.eventually import eventually
from tests.support.scenes import script


@dataclass
class Session:
    """Both kinds of session in one: notes what it is told."""

    listener: Any
    told: list[Any] = field(default_factory=list)
    closed: int = 0

    def send_audio(self, audio: bytes) -> None:
        self.told.append(audio)

    def finish_turn(self) -> None:
        self.told.append("finish")

    def speak(self, utterance_id: str, text: str, more_follows: bool) -> None:
        self.told.append((utterance_id, text, more_follows))

    def flush(self, utterance_id: str) -> None:
        self.told.append(("flush", utterance_id))

    def cancel(self, utterance_id: str) -> None:
        self.told.append(("cancel", utterance_id))

    async def close(self) -> None:
        self.closed += 1


@dataclass
class Service:
    """Opens one session; ``gate`` holds that up, ``refusal`` prevents it."""

    refusal: Exception | None = None
    gate: asyncio.Event | None = None
    says: tuple[Any, ...] = ()
    sessions: list[Session] = field(default_factory=list)

    def accepted_format(self, line: WireFormat) -> WireFormat:
        return line

    offered_format = accepted_format

    async def open(self, audio_format: WireFormat, listener: Any) -> Any:
        assert audio_format == ("pcmu", 8000)
        if self.gate is not None:
            await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal
        self.sessions.append(Session(listener))
        for failure in self.says:
            listener.transcriber_failed(failure)
        return self.sessions[-1]


@dataclass
class Bench:
    server: ClaudeServer
    stt: Service
    tts: Service
    messages: list[Any]
    opener: CascadeOpener

    async def open(self) -> CascadeConnection:
        core = Cascade(config(), Brief(), Ids.seeded(1), PCMU, PCMU)
        return await self.opener(core, self.messages.append, lambda code, reason: None)

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.messages if isinstance(message, kind)]


@asynccontextmanager
async def bench(
    scenario: Scenario | None = None, stt: Service | None = None, tts: Service | None = None
) -> AsyncIterator[Bench]:
    async with serve_claude(scenario=scenario or script(SHORT)) as server:
        made = Bench(server, stt or Service(), tts or Service(), [], None)  # type: ignore[arg-type]
        claude = ClaudeClient(server.base_url, None, API_VERSION)
        made.opener = CascadeOpener(made.stt, made.tts, claude)
        try:
            yield made
        finally:
            await made.opener.close()


async def test_commands_reach_their_service_and_reports_the_core() -> None:
    async with bench() as b:
        connection: ModelConnection = await b.open()
        [stt], [tts] = b.stt.sessions, b.tts.sessions
        assert connection.send_audio(say.AppendAudio(b"one"))
        # A service may take an empty message for the end of the audio.
        assert connection.send_audio(say.AppendAudio(b""))
        connection.send(say.FinishTurn())
        assert stt.told == [b"one", "finish"]
        connection.send(say.Speak("u", "Hello.", True))
        connection.send(say.FlushSpeech("u"))
        connection.send(say.CancelSpeech("u"))
        assert tts.told == [("u", "Hello.", True), ("flush", "u"), ("cancel", "u")]
        hears: TranscriberListener = stt.listener
        speaks: SynthesizerListener = tts.listener
        await asyncio.sleep(0)
        transcript, failure = Transcript("Hi", True), SpeechFailure("x", "y")
        hears.transcript_received(transcript)
        hears.turn_flushed()
        hears.transcriber_failed(failure)
        speaks.audio_received("u", b"two")
        speaks.speech_aligned("u", (SpeechMark(1, 2.0),))
        speaks.utterance_finished("u")
        speaks.synthesizer_failed(failure, "u")
        assert b.messages == [
            say.TranscriptReceived(transcript),
            say.TurnFlushed(),
            say.TranscriberFailed(failure),
            say.SpeechAudio("u", b"two"),
            say.SpeechAligned("u", (SpeechMark(1, 2.0),)),
            say.SpeechFinished("u"),
            say.SynthesizerFailed(failure, "u"),
        ]
        await connection.close()


async def test_news_in_the_audio_is_told_in_the_next_turn_of_the_loop() -> None:
    async with bench() as b:
        connection = await b.open()
        connection.send_audio(say.AppendAudio(b"one", news=True))
        assert b.messages == []
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert b.messages == [say.AudioHeard()]
        await connection.close()


async def test_an_answer_is_streamed_to_the_core() -> None:
    async with bench() as b:
        connection = await b.open()
        connection.send(say.Generate("g1", BODY))
        await eventually(lambda: b.messages and b.messages[-1].event["type"] == "message_stop")
        assert {message.generation_id for message in b.of(say.ModelDelta)} == {"g1"}
        await eventually(lambda: not connection._generations)
        assert b.of(say.GenerationFailed) == []
        await connection.close()


async def test_a_cancelled_answer_is_heard_of_no_more() -> None:
    slow = script("  - {when: any, say: [opening_hours, weekend_hours]}\n")
    async with bench(slow) as b:
        connection = await b.open()
        connection.send(say.Generate("g1", BODY))
        await eventually(lambda: len(b.messages) >= 4)
        connection.send(say.CancelGeneration("g1"))
        connection.send(say.CancelGeneration("g1"))
        count = len(b.messages)
        await eventually(lambda: b.server.requests[0].cut_off)
        assert len(b.messages) == count
        await eventually(lambda: not connection._closing)
        await connection.close()


async def test_failures_are_reported_once() -> None:
    async with bench() as b:
        connection = await b.open()
        connection.send(say.Generate("g1", BODY | {"temperature": 1.0}))
        await eventually(lambda: b.messages)
        [failed] = b.messages
        assert (failed.generation_id, failed.status, failed.code) == (
            "g1",
            400,
            "invalid_request_error",
        )
        b.server.scenario = script(
            "  - {when: any, say: opening_hours, faults: {drop_after_ms: 20}}\n"
        )
        connection.send(say.Generate("g2", BODY))
        await eventually(lambda: len(b.of(say.GenerationFailed)) == 2)
        assert b.of(say.GenerationFailed)[1].status == 0
        await connection.close()


async def test_closing_ends_everything_and_nothing_is_told_any_more() -> None:
    slow = script("  - {when: any, say: opening_hours, faults: {first_delta_ms: 9000}}\n")
    async with bench(slow) as b:
        connection = await b.open()
        connection.send(say.Generate("g1", BODY))
        await eventually(lambda: b.messages)
        count = len(b.messages)
        await connection.close()
        await connection.close()
        assert (b.stt.sessions[0].closed, b.tts.sessions[0].closed) == (1, 1)
        b.stt.sessions[0].listener.turn_flushed()
        assert not connection.send_audio(say.AppendAudio(b"x"))
        assert connection.audio_dropped == 1
        connection.send(say.FinishTurn())
        assert len(b.messages) == count
        await eventually(lambda: b.server.requests[0].cut_off)


async def test_what_a_service_says_while_the_other_opens_is_kept() -> None:
    early = SpeechFailure("early", "bird")
    tts = Service(gate=asyncio.Event())
    async with bench(stt=Service(says=(early,)), tts=tts) as b:
        opening = asyncio.ensure_future(b.open())
        await eventually(lambda: b.stt.sessions)
        assert b.messages == []
        assert tts.gate is not None
        tts.gate.set()
        connection = await opening
        await eventually(lambda: b.messages)
        assert b.messages == [say.TranscriberFailed(early)]
        await connection.close()


async def test_a_service_that_cannot_be_had_closes_the_other() -> None:
    refusal = ModelUnavailable("no", fatal=True)
    async with bench(tts=Service(refusal=refusal)) as b:
        with pytest.raises(ModelUnavailable) as raised:
            await b.open()
        assert raised.value is refusal
        assert [session.closed for session in b.stt.sessions] == [1]


async def test_who_gives_up_the_opening_leaves_nothing_open() -> None:
    async with bench(tts=Service(gate=asyncio.Event())) as b:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await b.open()
        assert [session.closed for session in b.stt.sessions] == [1]
