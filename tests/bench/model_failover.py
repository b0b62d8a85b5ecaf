"""How long a caller waits when a model is lost for good: ``scripts/bench models``.

The caller has just spoken. The model hangs up instead of answering and refuses from then on; the
next one of the agent's list takes over. What is measured runs from the loss to the first RTP
packet of the second model's speech.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from telephony.audio.g711 import pcmu_to_l16
from tests.bench.capacity import speech_frames, wait_for_http
from tests.bench.load import Caller, Load
from tests.bench.marks import FRAME_BYTES, ToneMark
from tests.bench.mock_model import MockModel, RealtimeConnection
from tests.bench.mocks.gemini import MockGemini
from tests.bench.mocks.wire import MockServer
from tests.bench.model_backends import agent_of
from tests.bench.model_bot import PORT_STEP, running

FILLER_FRAMES = 50
PATIENCE_S = 8.0
# The codes of samples below 128 of 32768: -48 dBFS.
_SILENT_CODES = bytes(code for code in range(256) if code & 0x70 == 0x70)


class _Dropping(RealtimeConnection):
    """Hangs up on a caller who has spoken."""

    server: DroppingModel

    def answer(self, number: int, metadata: dict[str, str] | None = None) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self.server.drop_after_s, self._drop, number)

    def _drop(self, number: int) -> None:
        self.server.refuses = True
        self.answering(number)
        self.transport.abort()


class DroppingModel(MockModel):
    """Hangs up ``drop_after_s`` after the caller's last word; ``answered`` tells when it did."""

    def __init__(self, speech: bytes, drop_after_s: float) -> None:
        super().__init__(speech, ToneMark())
        self.drop_after_s = drop_after_s

    def make_connection(self) -> RealtimeConnection:
        return _Dropping(self)


class WaitingCaller(Caller):
    """Begins with its words, and notes what it hears after the loss."""

    def __init__(self, load: Load, number: int) -> None:
        super().__init__(load, number)
        self._frame = 0
        self.sound_at: float | None = None
        self.answer_at: float | None = None
        self.last_at = 0.0
        self.longest_gap_s = 0.0

    def heard(self, packet: bytes, at: float) -> None:
        dropped_at = self.load.answered_at.get(self.number)
        if dropped_at is None or at < dropped_at:
            self.last_at = at
            return
        self.longest_gap_s = max(self.longest_gap_s, at - self.last_at)
        self.last_at = at
        if self.sound_at is None and _is_sound(packet[12:]):
            self.sound_at = at
        if self.answer_at is None and self.load.mark.is_in(packet):
            self.answer_at = at


def _is_sound(payload: bytes) -> bool:
    return len(payload.translate(None, _SILENT_CODES)) > FRAME_BYTES // 4


@dataclass(slots=True)
class Wait:
    """Seconds from the loss to the first sound and to the second model's first word."""

    sound_s: float
    answer_s: float
    gap_s: float


def filler_wav(speech: list[bytes]) -> bytes:
    """Return a second of speech as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(pcmu_to_l16(b"".join(speech[:FILLER_FRAMES])))
    return file.getvalue()


async def _one(load: Load, first: MockServer) -> Wait | None:
    """Place a call and wait until the second model is heard; None when it never was."""
    first.refuses = False
    await load.dial(1, per_second=50)
    number = load.last_number
    first.name_newest(number)
    caller = next((c for c in load.callers.values() if c.number == number), None)
    assert isinstance(caller, WaitingCaller | None)
    until = time.time() + PATIENCE_S
    while caller is not None and caller.answer_at is None and time.time() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    dropped_at = first.answered.get(number)
    await load.hang_up_all()
    if caller is None or caller.answer_at is None or dropped_at is None:
        return None
    sound_at = caller.sound_at or caller.answer_at
    return Wait(sound_at - dropped_at, caller.answer_at - dropped_at, caller.longest_gap_s)


@dataclass(frozen=True, slots=True)
class Case:
    """What takes over: ``drop_after_s`` is when, after the caller's last word, the model goes."""

    api: str
    make: Callable[..., MockServer]
    path: str
    drop_after_s: float
    filler: bool

    @property
    def title(self) -> str:
        when = f"{self.drop_after_s * 1000:.0f} ms after a word"
        return f"{self.api}, {when}{', filler' if self.filler else ''}"


# A model that answers has heard silence first. One that goes at the last word has not, nor have we.
CASES = tuple(
    Case(api, make, path, drop_after_s, filler)
    for api, make, path in (
        ("openai_realtime", MockModel, "/v1"),
        ("gemini_live", MockGemini, ""),
    )
    for drop_after_s, filler in ((0.6, False), (0.6, True), (0.0, False))
)


async def measure(
    case: Case, port: int, folder: Path, arguments: argparse.Namespace
) -> list[Wait | None]:
    """Lose the model of one call after the other."""
    speech = speech_frames()
    first = DroppingModel(b"".join(speech), case.drop_after_s)
    second = case.make(b"".join(speech), ToneMark())
    first_port, second_port = await asyncio.gather(first.start(), second.start())
    agent = agent_of("openai_realtime", f"ws://127.0.0.1:{first_port}/v1")
    url = f"ws://127.0.0.1:{second_port}{case.path}"
    agent += f"fallback:\n  - {{api: {case.api}, base_url: '{url}', model: mock}}\n"
    agent += "filler: filler.wav\n" if case.filler else ""
    load = Load(port, speech, first.answered, mark=ToneMark(), make_caller=WaitingCaller)
    await load.start()
    files = {"filler.wav": filler_wav(speech)}
    try:
        with running(folder, port, arguments.bot_core, agent, files):
            await wait_for_http(port + 1)
            return [await _one(load, first) for _ in range(arguments.repetitions)]
    finally:
        await load.close()
        first.close()
        second.close()


HEADER = (
    "\nanother model takes over                        calls  answered   first sound ms p50    max"
    "   second model ms p50    max   largest gap ms"
)


def show(name: str, waits: list[Wait | None]) -> None:
    well = [wait for wait in waits if wait is not None]
    if not well:
        print(f"{name:46s}  {len(waits):5d}  {0:8d}")
        return
    sounds, answers = [w.sound_s * 1000 for w in well], [w.answer_s * 1000 for w in well]
    print(
        f"{name:46s}  {len(waits):5d}  {len(well):8d}  {median(sounds):19.0f} {max(sounds):6.0f}"
        f"  {median(answers):20.0f} {max(answers):6.0f}"
        f"  {max(w.gap_s for w in well) * 1000:15.1f}",
        flush=True,
    )


async def show_failovers(port: int, folder: Path, arguments: argparse.Namespace) -> None:
    """Print a table of what takes over from OpenAI Realtime, without and with a filler."""
    print(HEADER)
    for index, case in enumerate(case for case in CASES if case.api in arguments.apis):
        waits = await measure(case, port + index * PORT_STEP, folder, arguments)
        show(case.title, waits)
