"""What a caller notices when a session ends and another takes over: ``scripts/bench models``.

Callers say numbered frames, which G.711 carries untouched to the model; the model's speech is
numbered too. So it is exact which frames reached neither session, and what of the speech was lost.
Half of the calls are silent at the warning, in the others the bot has just begun to speak.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.capacity import speech_frames, wait_for_http
from tests.bench.load import Caller, Load
from tests.bench.marks import FRAME_BYTES, ToneMark
from tests.bench.mock_model import MockModel, RealtimeConnection
from tests.bench.mocks.gemini import GeminiConnection, MockGemini
from tests.bench.mocks.live import LiveConnection, MockLive
from tests.bench.mocks.wire import ANSWER_MS, MockConnection, MockServer
from tests.bench.model_backends import agent_of
from tests.bench.model_bot import CDR, PORT_STEP, running
from tests.bench.numbered import numbered, numbers_in

SPEECH_LEAD_S = 1.0
"""So long before the warning a bot begins that is to speak then; it speaks for three seconds."""

SETTLED_S = 5.5
"""From the warning on, until every call has changed over and before its next session ends."""

_BEFORE, _AFTER = 100, 50
"""Frames around the change-over that are looked at."""

_CALL_SHIFT = 20


@dataclass(slots=True)
class Heard:
    """What the sessions of one call got: numbers of frames, and when the first one came."""

    sessions: list[set[int]] = field(default_factory=list)
    began_at: list[float] = field(default_factory=list)


class Watch:
    """Takes note of what every session hears; ``speaks_after_s`` is when a bot speaks."""

    def __init__(self, speaks_after_s: float) -> None:
        self.speaks_after_s = speaks_after_s
        self.calls: dict[int, Heard] = {}

    def note(self, session: dict[str, int], audio: bytes) -> None:
        """Take an append; ``session`` remembers what call it is of, and its place in it."""
        for number in numbers_in(audio):
            call, frame = number >> _CALL_SHIFT, number & (1 << _CALL_SHIFT) - 1
            if "call" not in session:
                heard = self.calls.setdefault(call, Heard())
                session.update(call=call, place=len(heard.sessions))
                heard.sessions.append(set())
                heard.began_at.append(time.time())
            # A frame that the jitter buffer stretched may read as the number of another call.
            if call == session["call"]:
                self.calls[call].sessions[session["place"]].add(frame)


class NumberedCaller(Caller):
    """Counts its frames and notes what it hears, and when."""

    def __init__(self, load: Load, number: int) -> None:
        super().__init__(load, number)
        self.said = 0
        self.answered_at = time.time()
        self.arrivals: list[float] = []
        self.heard_numbers: set[int] = set()
        self.spoken_to = False

    def payload(self) -> bytes:
        self.said += 1
        return numbered(self.number << _CALL_SHIFT | self.said)

    def heard(self, packet: bytes, at: float) -> None:
        self.arrivals.append(at)
        self.heard_numbers.update(numbers_in(packet))
        if not self.spoken_to:
            self.spoken_to = bool(self.heard_numbers) or self.load.mark.is_in(packet)


def numbered_speech(speech: bytes) -> bytes:
    """Number the frames of what the bot says from 1 on."""
    frames = (speech[at : at + FRAME_BYTES] for at in range(0, len(speech), FRAME_BYTES))
    return b"".join(numbered(n, frame) for n, frame in enumerate(frames, 1))


class _Watched(MockConnection):
    """Notes what it hears; every second one of the first sessions speaks by itself."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self._place: dict[str, int] = {}
        if server.opened % 2:
            loop = asyncio.get_running_loop()
            loop.call_later(server.watch.speaks_after_s, self.answer, 0)

    def heard_audio(self, audio: bytes) -> None:
        self.server.watch.note(self._place, audio)

    def speech(self, number: int) -> bytes:
        return numbered_speech(self.server.speech)


class _RealtimeConnection(_Watched, RealtimeConnection):
    pass


class _LiveConnection(_Watched, LiveConnection):
    pass


class _GeminiConnection(_Watched, GeminiConnection):
    pass


class _Realtime(MockModel):
    def make_connection(self) -> RealtimeConnection:
        return _RealtimeConnection(self)


class _Live(MockLive):
    def make_connection(self) -> LiveConnection:
        return _LiveConnection(self)


class _Gemini(MockGemini):
    def make_connection(self) -> GeminiConnection:
        return _GeminiConnection(self)


@dataclass(frozen=True, slots=True)
class Subject:
    """``warned_s`` after its start a session is told that it ends, ``lasts_s`` after it does."""

    api: str
    path: str
    make: Callable[[bytes], MockServer]
    warned_s: float
    lasts_s: float
    session: str = ""


# The dialects ask for a new session when a tenth (Realtime) or half (Live) of the time is left.
SUBJECTS = (
    Subject("openai_realtime", "/v1", lambda s: _Realtime(s, lifetime_s=50), 45, 50),
    Subject(
        "openai_live",
        "/v1",
        lambda s: _Live(s, lifetime_s=14),
        7,
        14,
        "session: {delegation: {type: responses, responses: {model: mock}}}\n",
    ),
    Subject("gemini_live", "", lambda s: _Gemini(s, go_away_s=7), 7, 12),
)


@dataclass(slots=True)
class Outcome:
    """What one call went through; None where nothing can be told.

    ``usual_ms`` is what was lost in as much time just before: frames that a busy machine brought
    too late, and that the jitter buffer made up for.
    """

    talking: bool
    gap_ms: float
    unheard_ms: int | None
    usual_ms: int | None
    twice_ms: int | None
    speech_lost_ms: int | None
    cdr_dropped_ms: int
    changed: int


def judge(caller: NumberedCaller, watch: Watch, cdr: dict[str, Any], subject: Subject) -> Outcome:
    """Return what happened to one call around its change-over."""
    heard = watch.calls.get(caller.number, Heard())
    unheard_ms = usual_ms = twice_ms = None
    changed_at = caller.answered_at + subject.warned_s
    if len(heard.sessions) > 1:
        old, new = heard.sessions[:2]
        changed_at = heard.began_at[1]
        around = range(max(min(old), min(new) - _BEFORE), min(new) + _AFTER)
        unheard_ms = 20 * sum(n not in old and n not in new for n in around)
        usual = range(max(min(old), around.start - _BEFORE - _AFTER), around.start)
        usual_ms = 20 * sum(n not in old for n in usual)
        twice_ms = 20 * len(old & new)
    arrivals = [at for at in caller.arrivals if changed_at - 2 <= at <= changed_at + 4]
    gaps = [(b - a) * 1000 for a, b in pairwise(arrivals)]
    numbered_ms = 20 * len(caller.heard_numbers)
    return Outcome(
        caller.spoken_to,
        max(gaps, default=float("nan")),
        unheard_ms,
        usual_ms,
        twice_ms,
        ANSWER_MS - numbered_ms if numbered_ms else None,
        cdr["model_audio_dropped_ms"],
        cdr["model_rollovers"] + cdr["model_reconnects"],
    )


async def measure(
    subject: Subject, port: int, folder: Path, arguments: argparse.Namespace
) -> list[Outcome]:
    """Let one session of each call end, all at about the same time."""
    watch = Watch(subject.warned_s - SPEECH_LEAD_S)
    server = subject.make(b"".join(speech_frames()))
    server.watch = watch  # type: ignore[attr-defined]
    model_port = await server.start()
    agent = agent_of(subject.api, f"ws://127.0.0.1:{model_port}{subject.path}", subject.session)
    load = Load(port, [], {}, mark=ToneMark(), make_caller=NumberedCaller)
    await load.start()
    try:
        with running(folder, port, arguments.bot_core, agent) as (_, own):
            await wait_for_http(port + 1)
            await load.dial(arguments.repetitions * 2, per_second=5)
            callers = [c for c in load.callers.values() if isinstance(c, NumberedCaller)]
            await asyncio.sleep(subject.warned_s + SETTLED_S)
            await load.hang_up_all()
        cdrs = {cdr["caller"]: cdr for cdr in map(json.loads, (own / CDR).read_text().splitlines())}
    finally:
        await load.close()
        server.close()
    return [judge(c, watch, cdrs[f"+1555{c.number:07d}"], subject) for c in callers]


HEADER = (
    "\nanother session takes over   calls  changed   largest gap ms p50    max"
    "   unheard ms max  (just before)   heard twice ms max   dropped ms (CDR) max"
    "   speech lost ms max"
)


def show(name: str, outcomes: list[Outcome]) -> None:
    def most(values: list[int | None]) -> str:
        known = [value for value in values if value is not None]
        return str(max(known)) if known else "-"

    if not outcomes:
        print(f"{name:27s}  no call got so far")
        return
    gaps = [outcome.gap_ms for outcome in outcomes]
    print(
        f"{name:27s}  {len(outcomes):5d}  {sum(o.changed == 1 for o in outcomes):7d}"
        f"  {median(gaps):18.1f} {max(gaps):6.1f}  {most([o.unheard_ms for o in outcomes]):>15s}"
        f" {most([o.usual_ms for o in outcomes]):>14s}"
        f"  {most([o.twice_ms for o in outcomes]):>19s}"
        f"  {max(o.cdr_dropped_ms for o in outcomes):21d}"
        f"  {most([o.speech_lost_ms for o in outcomes]):>19s}",
        flush=True,
    )


async def show_rollovers(port: int, folder: Path, arguments: argparse.Namespace) -> None:
    """Print a table of the APIs whose sessions end."""
    print(HEADER)
    for index, subject in enumerate(SUBJECTS):
        if subject.api not in arguments.apis:
            continue
        outcomes = await measure(subject, port + index * PORT_STEP, folder, arguments)
        show(f"{subject.api}, silent", [o for o in outcomes if not o.talking])
        show(f"{subject.api}, bot speaks", [o for o in outcomes if o.talking])
