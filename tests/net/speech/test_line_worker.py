"""Programs that answer line by line: real ones, small and ill-behaved."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from telephony.net.speech import line_worker
from telephony.net.speech.line_worker import LineWorker, WorkerProgram
from telephony.net.speech.turn_transcriber import SpeechError
from tests.support.eventually import eventually

ANSWER = re.compile("^= (.*)")
ECHO = """
import sys, time
print("talk", file=sys.stderr)
print("ready", flush=True)
for line in sys.stdin:
    word = line.strip()
    if word == "die":
        print("no more of this", flush=True)
        sys.exit(3)
    if word == "sleep":
        time.sleep(60)
    print("some talk")
    print("=", word.upper(), flush=True)
"""


def program(source: str = ECHO, **more: Any) -> WorkerProgram:
    values = {"answer_timeout_s": 5.0, "keep_s": 30.0, "ready": re.compile("^ready")} | more
    return WorkerProgram("echo", (sys.executable, "-c", source), ANSWER, **values)


@pytest.fixture(name="workers")
async def _workers() -> AsyncIterator[list[LineWorker]]:
    workers: list[LineWorker] = []
    yield workers
    for worker in workers:
        await worker.close()


def made(workers: list[LineWorker], **more: Any) -> LineWorker:
    workers.append(LineWorker(program(**more)))
    return workers[-1]


async def answer(worker: LineWorker, word: str) -> str:
    return (await worker.ask(f"{word}\n".encode())).group(1)


async def test_started_once_and_kept(workers: list[LineWorker]) -> None:
    worker = made(workers)
    await worker.acquire()
    assert worker.running
    answers = await asyncio.gather(*(answer(worker, f"w{n}") for n in range(20)))
    assert answers == [f"W{n}" for n in range(20)]
    assert (worker.stats.starts, worker.stats.requests) == (1, 20)
    worker.release()
    assert worker.running


async def test_started_when_it_is_needed(workers: list[LineWorker]) -> None:
    worker = made(workers)
    assert not worker.running
    assert await answer(worker, "a") == "A"


async def test_answers_on_the_other_stream(workers: list[LineWorker]) -> None:
    worker = made(
        workers, source=ECHO.replace("flush=True", "file=sys.stderr"), answers_on="stderr"
    )
    assert await answer(worker, "a") == "A"


async def test_who_gave_up_does_not_get_anothers_answer(workers: list[LineWorker]) -> None:
    worker = made(workers)
    await worker.acquire()
    first = asyncio.create_task(answer(worker, "first"))
    second = asyncio.create_task(answer(worker, "second"))
    third = asyncio.create_task(answer(worker, "third"))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    assert await third == "THIRD"
    assert worker.stats.requests <= 2


async def test_one_that_died_is_started_again_after_a_pause(
    workers: list[LineWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_worker, "_FIRST_PAUSE_S", 1.0)
    worker = made(workers)
    with pytest.raises(SpeechError, match="echo ended with 3: no more of this") as died:
        await answer(worker, "die")
    assert (died.value.failure.fatal, died.value.failure.retryable) == (False, True)
    with pytest.raises(SpeechError, match="in a moment"):
        await answer(worker, "a")
    await asyncio.sleep(1.1)
    assert await answer(worker, "a") == "A"
    with pytest.raises(SpeechError):
        await answer(worker, "die")
    assert worker._pause_s == 2.0
    assert (worker.stats.starts, worker.stats.failures) == (2, 2)


async def test_one_that_hangs_is_ended(workers: list[LineWorker]) -> None:
    worker = made(workers, answer_timeout_s=0.2)
    with pytest.raises(SpeechError, match="gave no answer"):
        await answer(worker, "sleep")
    assert not worker.running


async def test_one_that_never_gets_ready(workers: list[LineWorker]) -> None:
    worker = made(workers, source="import time; time.sleep(60)", start_timeout_s=0.2)
    with pytest.raises(SpeechError, match="gave no answer"):
        await worker.acquire()
    worker = made(workers, source="print('no such model')")
    with pytest.raises(SpeechError, match="ended with 0: no such model"):
        await worker.acquire()


async def test_one_that_does_not_exist(workers: list[LineWorker]) -> None:
    worker = LineWorker(WorkerProgram("nothing", ("/no/such/program",), ANSWER))
    with pytest.raises(SpeechError, match="cannot be started") as error:
        await worker.acquire()
    assert (error.value.failure.fatal, error.value.failure.retryable) == (True, False)


async def test_ended_when_nobody_needs_it(workers: list[LineWorker]) -> None:
    worker = made(workers, keep_s=0.0)
    await worker.acquire()
    await worker.acquire()
    worker.release()
    assert await answer(worker, "a") == "A"
    worker.release()
    await eventually(lambda: not worker.running)
    await worker.acquire()
    assert await answer(worker, "b") == "B"
    assert worker.stats.starts == 2
    worker.release()


async def test_no_more_may_wait_than_make_sense(
    workers: list[LineWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_worker, "MAX_WAITING", 3)
    worker = made(workers)
    await worker.acquire()
    asked = [asyncio.create_task(answer(worker, f"{n}")) for n in range(10)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    refused = [r for r in results if isinstance(r, SpeechError)]
    assert {r.failure.code for r in refused} == {"overloaded"}
    assert worker.stats.refused == len(refused) > 0
    assert len(results) - len(refused) >= 3


async def test_all_are_ended_at_the_end(workers: list[LineWorker]) -> None:
    for _ in range(2):
        await made(workers).acquire()
    await line_worker.end_workers()
    assert not any(worker.running for worker in workers)


async def test_closing_in_the_middle(workers: list[LineWorker]) -> None:
    worker = made(workers)
    await worker.acquire()
    asked = asyncio.create_task(answer(worker, "sleep"))
    await asyncio.sleep(0.05)
    await worker.close()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert not worker.running
    assert await answer(worker, "a") == "A"
