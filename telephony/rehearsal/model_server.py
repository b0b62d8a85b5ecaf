"""The rehearsal model server: OpenAI Realtime, or a variation of it, on a port of this machine.

    async with serve(port=8765) as server:
        client = AsyncOpenAI(api_key="any", base_url=server.base_url)

No key and no internet are needed. ``server.sessions[-1].conversation`` is what the model
believes that was said.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from functools import partial

from telephony.base.ids import Ids
from telephony.rehearsal.ears import Ears, Recognised
from telephony.rehearsal.ears_thread import EarsThread
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.model_connection import ModelConnection, Tap
from telephony.rehearsal.model_session import ModelSession
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import Scenario, shipped_scenario
from telephony.rehearsal.server_variant import OPENAI, SERVER_VARIANTS, ServerVariant
from telephony.rehearsal.serving import Serving, origin
from telephony.rehearsal.utterance import Voice

_REMEMBERED_SESSIONS = 512
_CLOSE_GRACE_S = 0.5


class ModelServer:
    """Accepts connections until :meth:`close`.

    ``scenario``, ``faults`` and ``variant`` may be replaced at any time; they hold for the next
    connection. ``faults`` None means those of the scenario. A path that begins with the name of a
    variant is that variant's.
    """

    def __init__(
        self,
        scenario: Scenario,
        api_key: str | None,
        tap: Tap | None,
        ids: Ids,
        voice: Voice,
        variant: ServerVariant,
    ) -> None:
        self.scenario = scenario
        self.variant = variant
        self.faults: ConnectionFaults | None = None
        self.api_key = api_key
        self.tap = tap
        self.sessions: deque[ModelSession] = deque(maxlen=_REMEMBERED_SESSIONS)
        """The last sessions, ended ones too, oldest first."""
        self.connections: set[ModelConnection] = set()
        self.handshakes = 0
        self._ids = ids
        self._voice = voice
        self._ears = EarsThread(partial(Ears.for_caller, voice.prompts))
        self._listener: asyncio.Server
        self.host = ""
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen on ``host``; port 0 is any free one. Raise OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: ModelConnection(self), host, port)
        self.host, self.port = self._listener.sockets[0].getsockname()[:2]

    @property
    def base_url(self) -> str:
        """What a client of the server's variant takes as its ``base_url``."""
        return self._origin + self.variant.base

    def base_url_of(self, api: str) -> str:
        """Return the ``base_url`` for clients of this API, whatever the server's own variant is."""
        other = SERVER_VARIANTS.get(api, self.variant)
        if other is self.variant:
            return self.base_url
        return f"{self._origin}/{other.name}{other.base}"

    @property
    def _origin(self) -> str:
        return origin(self.host, self.port)

    @property
    def websocket_url(self) -> str:
        return self.base_url.replace("http", "ws", 1) + self.variant.path

    async def close(self) -> None:
        """Close every connection with 1001 (going away) and stop listening; twice is once."""
        self._listener.close()
        for connection in list(self.connections):
            connection.close(1001, "The rehearsal is over.")
        ends = [asyncio.ensure_future(c.closed.wait()) for c in self.connections]
        if ends:
            _, late = await asyncio.wait(ends, timeout=_CLOSE_GRACE_S)
            for connection in list(self.connections):
                connection.abort()
            if late:
                await asyncio.wait(late)
        await self._listener.wait_closed()
        self._ears.close()

    # What connections ask for

    def now(self) -> float:
        return time.monotonic()

    def faults_of_next_connection(self) -> ConnectionFaults:
        """Return the faults for this handshake; connections beyond the limit have none."""
        self.handshakes += 1
        faults = self.scenario.faults if self.faults is None else self.faults
        return faults.of_connection(self.handshakes)

    def open_session(
        self, model: str, faults: ConnectionFaults, variant: ServerVariant
    ) -> ModelSession:
        session = ModelSession(
            self.scenario,
            self._voice,
            self._ids,
            model,
            int(time.time()),
            self.now(),
            faults,
            variant.dialect(),
        )
        self.sessions.append(session)
        return session

    def listen(self, pcm16: bytes) -> asyncio.Future[Recognised]:
        return self._ears.listen(pcm16)

    def connection_opened(self, connection: ModelConnection) -> None:
        self.connections.add(connection)

    def connection_closed(self, connection: ModelConnection) -> None:
        self.connections.discard(connection)


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    scenario: Scenario | None = None,
    *,
    api_key: str | None = None,
    tap: Tap | None = None,
    ids: Ids | None = None,
    voice: Voice | None = None,
    variant: ServerVariant = OPENAI,
) -> Serving[ModelServer]:
    """``api_key`` None accepts any key and none; ``tap`` sees every frame.

    ``variant`` is the server to stand in for.
    """
    server = ModelServer(
        scenario or shipped_scenario("default"),
        api_key,
        tap,
        ids or Ids(os.urandom),
        voice or Voice(shipped_prompts()),
        variant,
    )
    return Serving(server, partial(server.start, host, port))
