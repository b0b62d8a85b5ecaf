"""Lines that a program writes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from telephony.net.line_pipe import LinePipe
from tests.support.eventually import eventually


@pytest.fixture
async def lines() -> list[str]:
    return []


@pytest.fixture
async def pipe(lines: list[str]) -> AsyncIterator[LinePipe]:
    made = LinePipe(asyncio.get_running_loop(), lines.append)
    yield made
    made.close()


async def test_a_line_is_told_as_it_is_written(pipe: LinePipe, lines: list[str]) -> None:
    os.write(pipe.end.fileno(), b"one\ntw")
    await eventually(lambda: lines == ["one"])
    os.write(pipe.end.fileno(), b"o\r\n\n  \nthree \xff")
    await eventually(lambda: lines == ["one", "two"])
    pipe.end.close()
    await eventually(lambda: lines == ["one", "two", "three \ufffd"])


async def test_closing_tells_the_rest_and_then_nothing(pipe: LinePipe, lines: list[str]) -> None:
    other = os.dup(pipe.end.fileno())
    os.write(other, b"x\n" * 3000 + b"end")
    pipe.close()
    assert lines == [*["x"] * 3000, "end"]
    pipe.close()
    with pytest.raises(BrokenPipeError):
        os.write(other, b"late\n")
    os.close(other)


async def test_closing_does_not_wait_for_a_program_that_goes_on_writing() -> None:
    lines: list[str] = []

    def write_more(line: str) -> None:
        lines.append(line)
        with suppress(BrokenPipeError):
            os.write(other, b"more\n")

    pipe = LinePipe(asyncio.get_running_loop(), write_more)
    other = os.dup(pipe.end.fileno())
    os.write(other, b"first\n")
    pipe.close()
    assert lines[:2] == ["first", "more"]
    with pytest.raises(BrokenPipeError):
        os.write(other, b"late\n")
    os.close(other)


async def test_a_line_without_an_end_is_cut(pipe: LinePipe, lines: list[str]) -> None:
    for _ in range(10):
        os.write(pipe.end.fileno(), b"y" * 1000)
        await asyncio.sleep(0)
    os.write(pipe.end.fileno(), b"\nnext\n")
    await eventually(lambda: len(lines) == 2)
    assert lines == ["y" * 1000, "next"]
