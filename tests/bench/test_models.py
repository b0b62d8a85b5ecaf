"""The light mocks speak their wires well enough for our dialects: one short call with each."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from telephony.app.agents import load_agent
from telephony.app.settings import Settings
from telephony.audio.convert import Converter
from telephony.audio.format import PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.base.interfaces import ModelConnection
from telephony.calls.model_source import ModelSource
from telephony.net.clock import monotonic
from telephony.net.model_socket import ModelSocket
from telephony.realtime.dialect import Brief
from telephony.realtime.events import AudioDelta, ModelError, SessionReady
from tests.bench.capacity import speech_frames
from tests.bench.marks import NumberMark, ToneMark, mark_frame
from tests.bench.model_backends import SDK_AGENT, SDK_MODULE, SUBJECTS, Backend, Subject
from tests.bench.numbered import numbered, numbers_in

SILENCE = b"\xff" * 160
PATIENCE_S = 10.0


class Line:
    """A caller without a telephone: drives one dialect against a mock, an append at a time."""

    def __init__(self, source: ModelSource) -> None:
        self.dialect = source.new_dialect(Brief(instructions="Answer."), PCMU, Ids.seeded(1))
        self.source = source
        self.connection: ModelConnection | None = None
        self.events: list[Any] = []
        self.closed: list[tuple[int, str]] = []

    async def open(self) -> None:
        def closed(code: int, reason: str) -> None:
            self.closed.append((code, reason))

        connection = await self.source.connect(
            self.dialect, ModelSocket.connect, self._received, closed
        )
        self.connection = connection
        self.dialect.connection_made(monotonic())
        self._pump()

    def _received(self, message: Any) -> None:
        self.dialect.receive_message(message, monotonic())
        self._pump()

    def _pump(self) -> None:
        self.events += self.dialect.events_received()
        for message in self.dialect.messages_to_send():
            assert self.connection is not None
            self.connection.send(message)

    def say(self, audio: bytes) -> None:
        """Append 60 ms of PCMU."""
        assert self.connection is not None
        converter = self.__dict__.setdefault("up", Converter(PCMU, self.dialect.input_format))
        self.connection.send_audio(self.dialect.append_message(converter.convert(audio)))

    async def until(self, kind: type) -> Any:
        """Wait for an event, saying nothing meanwhile."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := [e for e in self.events if isinstance(e, kind)]):
                await asyncio.sleep(0.02)
                if self.dialect.ready:
                    self.say(SILENCE * 3)
        return found[0]


def source_of(backend: Backend, folder: Path) -> ModelSource:
    path = folder / "bench.yaml"
    path.write_text(backend.agent)
    loaded = load_agent(path, Settings(), {})
    assert loaded.agent is not None, loaded.problems
    return loaded.agent.source


async def one_call(subject: Subject, folder: Path) -> None:
    speech = speech_frames()
    backend = await subject.start(b"".join(speech))
    heard: list[int] = []
    backend.listen(lambda number, at: heard.append(number))
    line = Line(source_of(backend, folder))
    try:
        await line.open()
        await line.until(SessionReady)
        backend.name_newest(7)
        for at in range(0, 60, 3):
            line.say(b"".join(speech[at : at + 3]))
            await asyncio.sleep(0.01)
        assert not heard, "speech must not pass for a mark"
        line.say(SILENCE + ToneMark().frame(7) + SILENCE)
        delta = await line.until(AudioDelta)
        assert heard == [7]
        assert 7 in backend.answered
        assert _is_marked(delta.audio, line.dialect.output_format)
        assert not [e for e in line.events if isinstance(e, ModelError)]
        assert not line.closed
        stats = line.dialect.stats
        assert stats.malformed == stats.bad_audio == 0
    finally:
        if line.connection is not None:
            await line.connection.close()
        # A cascade's calls share one pool of connections.
        close_shared = getattr(line.source.opener, "close", None)
        if close_shared is not None:
            await close_shared()
        backend.close()
        # Until the ends of the connections were told.
        await asyncio.sleep(0.05)


def _is_marked(audio: bytes, audio_format: AudioFormat) -> bool:
    return ToneMark().find(audio, audio_format, 1) == 1


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=list(SUBJECTS))
def test_a_caller_is_heard_and_answered(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if subject.lack:
        pytest.skip(subject.lack)
    (tmp_path / f"{SDK_MODULE}.py").write_text(SDK_AGENT)
    monkeypatch.syspath_prepend(tmp_path)
    asyncio.run(one_call(subject, tmp_path))


def test_a_tone_is_a_mark_and_speech_is_none() -> None:
    mark = ToneMark()
    assert mark.find(SILENCE + mark.frame(3) + SILENCE, PCMU, 3) == 3
    assert mark.is_in(b"h" * 12 + mark.frame(3))
    assert not any(mark.is_in(b"h" * 12 + frame) for frame in speech_frames())
    assert mark.find(b"".join(speech_frames()[:3]), PCMU, 3) is None


def test_a_number_is_a_mark_where_nobody_touches_it() -> None:
    assert NumberMark().find(SILENCE + mark_frame(259), PCMU, 1) == 259
    assert NumberMark().find(SILENCE, PCMU, 1) is None


@pytest.mark.parametrize("number", [0, 1, 0xA5A5, 0xFFFFFFFF])
def test_frames_give_their_numbers_back(number: int) -> None:
    speech = speech_frames()[40]
    audio = SILENCE[:7] + numbered(number, speech) + numbered(3) + numbered(5)[:39]
    assert list(numbers_in(audio)) == [number, 3]
