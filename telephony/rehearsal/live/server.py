"""The Live rehearsal server: OpenAI Live on a port of this machine.

    async with serve_live(port=8765) as server:
        client = AsyncOpenAI(api_key="any", base_url=server.base_url)

No key and no internet are needed. ``server.sessions[-1]`` tells what was said and asked.
"""

from __future__ import annotations

import hmac
import logging
import os
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from telephony.base.ids import Ids
from telephony.rehearsal.ears import Ears
from telephony.rehearsal.ears_thread import EarsThread
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.live.connection import converse
from telephony.rehearsal.live.session import USAGE_INTERVAL_S, LiveSession
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import Scenario, shipped_scenario
from telephony.rehearsal.serving import origin
from telephony.rehearsal.utterance import Voice

PATHS = ("/v1/live/sessions", "/openai/v1/live/sessions")
_REMEMBERED_SESSIONS = 512
_MAX_MESSAGE_BYTES = 32 * 1024 * 1024

# A connection that opens, closes or is refused is an everyday fact here, not a line of log.
_LOGGER = logging.getLogger("telephony.rehearsal.live")
_LOGGER.setLevel(logging.CRITICAL)


class LiveServer:
    """``scenario`` and ``faults`` may be replaced at any time; they hold for the next connection.

    ``faults`` None means those of the scenario; ``api_key`` None accepts any key and none.
    """

    def __init__(
        self, scenario: Scenario, api_key: str | None, usage_interval_s: float, voice: Voice
    ) -> None:
        self.scenario = scenario
        self.faults: ConnectionFaults | None = None
        self.api_key = api_key
        self.sessions: deque[LiveSession] = deque(maxlen=_REMEMBERED_SESSIONS)
        self.connections: set[ServerConnection] = set()
        self.handshakes = 0
        self.host = ""
        self.port = 0
        self._admitted: dict[ServerConnection, ConnectionFaults] = {}
        self._usage_interval_s = usage_interval_s
        self._ids = Ids(os.urandom)
        self._voice = voice
        self._ears = EarsThread(partial(Ears.for_caller, voice.prompts))

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its ``base_url``."""
        return f"{origin(self.host, self.port)}/v1"

    def listening(self, server: Server) -> None:
        self.host, self.port = next(iter(server.sockets)).getsockname()[:2]

    def close(self) -> None:
        self._ears.close()

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse a handshake as the API would, or let it pass."""
        faults = self._faults_of_next_connection()
        if faults.refuse_status is not None:
            status = HTTPStatus(faults.refuse_status)
            return connection.respond(status, "The rehearsal scenario refuses this handshake.\n")
        path = urlsplit(request.path)
        if path.path not in PATHS:
            text = f"There is nothing at {path.path}; use {PATHS[0]}.\n"
            return connection.respond(HTTPStatus.NOT_FOUND, text)
        if not self._has_key(request):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "Incorrect API key provided.\n")
        self._admitted[connection] = faults
        return None

    def _faults_of_next_connection(self) -> ConnectionFaults:
        self.handshakes += 1
        faults = self.scenario.faults if self.faults is None else self.faults
        return faults.of_connection(self.handshakes)

    def _has_key(self, request: Request) -> bool:
        if self.api_key is None:
            return True
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = request.headers.get("api-key", bearer)
        return hmac.compare_digest(given.encode(), self.api_key.encode())

    async def serve_connection(self, websocket: ServerConnection) -> None:
        """Run one session from its first message to its end."""
        session = LiveSession(
            self.scenario,
            self._voice,
            self._ids,
            int(time.time()),
            time.monotonic(),
            self._admitted.pop(websocket),
            self._usage_interval_s,
        )
        self.sessions.append(session)
        self.connections.add(websocket)
        try:
            await converse(websocket, session, self._ears.listen)
        finally:
            session.connection_lost()
            self.connections.discard(websocket)


@asynccontextmanager
async def serve_live(
    host: str = "127.0.0.1",
    port: int = 0,
    scenario: Scenario | None = None,
    *,
    api_key: str | None = None,
    usage_interval_s: float = USAGE_INTERVAL_S,
    voice: Voice | None = None,
) -> AsyncIterator[LiveServer]:
    """Listen on ``host``; port 0 is any free one. Raises OSError when the port is taken."""
    chosen = scenario or shipped_scenario("default")
    live = LiveServer(chosen, api_key, usage_interval_s, voice or Voice(shipped_prompts()))
    try:
        async with serve(
            live.serve_connection,
            host,
            port,
            process_request=live.admit,
            max_size=_MAX_MESSAGE_BYTES,
            compression=None,
            close_timeout=1.0,
            ping_interval=None,
            logger=_LOGGER,
        ) as server:
            live.listening(server)
            yield live
    finally:
        live.close()
