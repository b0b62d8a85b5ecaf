"""One WebSocket of the Live rehearsal server: its messages, its clock and its ears."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from telephony.rehearsal.ears import Recognised
from telephony.rehearsal.listening import Recognition
from telephony.rehearsal.live.session import LiveSession
from telephony.rehearsal.model_session import measured

Listen = Callable[[bytes], Awaitable[Recognised]]


async def converse(websocket: ServerConnection, session: LiveSession, listen: Listen) -> None:
    """Carry messages until the session ends or the client leaves."""
    wake = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(_read(websocket, session, wake))
        try:
            await _write(websocket, session, wake, reading, group, listen)
        finally:
            reading.cancel()


async def _read(websocket: ServerConnection, session: LiveSession, wake: asyncio.Event) -> None:
    """Take what the client sends, until it leaves."""
    try:
        async for message in websocket:
            session.receive_message(message, time.monotonic())
            wake.set()
    except ConnectionClosed:
        pass
    finally:
        wake.set()


async def _write(
    websocket: ServerConnection,
    session: LiveSession,
    wake: asyncio.Event,
    reading: asyncio.Task[None],
    group: asyncio.TaskGroup,
    listen: Listen,
) -> None:
    try:
        while not reading.done():
            wake.clear()
            for message in session.messages_to_send():
                await websocket.send(message)
            for work in session.recognitions_to_do():
                group.create_task(_recognise(work, session, wake, listen))
            if session.ending is not None:
                await _end(websocket, session.ending.close_code, session.ending.reason)
                return
            if not session.reading:
                websocket.transport.pause_reading()
            await _wait(session, wake)
    except ConnectionClosed:
        return


async def _wait(session: LiveSession, wake: asyncio.Event) -> None:
    """Wait for a message or for what is due, and let the session act on that."""
    due = session.next_timer()
    with suppress(TimeoutError):
        async with asyncio.timeout(None if due is None else max(0.0, due - time.monotonic())):
            await wake.wait()
    # A client that sends without a pause must not hold up the clock.
    now = time.monotonic()
    if due is not None and now >= due:
        session.handle_timer(now)


async def _recognise(
    work: Recognition, session: LiveSession, wake: asyncio.Event, listen: Listen
) -> None:
    heard = await listen(work.pcm16)
    text = heard.text or measured(work.speech_ms)
    session.transcript_ready(work.item_id, text, time.monotonic())
    wake.set()


async def _end(websocket: ServerConnection, code: int | None, reason: str) -> None:
    if code is None:
        websocket.transport.abort()
    else:
        await websocket.close(code, reason[:120])
