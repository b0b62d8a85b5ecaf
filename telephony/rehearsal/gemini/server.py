"""The Gemini rehearsal server: Gemini Live on a port of this machine, in the clear or over TLS.

    async with serve(tls=True) as server:
        os.environ["SSL_CERT_FILE"] = str(server.certificate)
        client = genai.Client(api_key="any", http_options=HttpOptions(base_url=server.base_url))

No key and no internet are needed. ``server.sessions[-1].conversation`` is what the model
believes that was said.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import re
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from aiohttp import web

from telephony.base.ids import Ids
from telephony.rehearsal.ears import Ears, Recognised
from telephony.rehearsal.ears_thread import EarsThread
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.gemini.certificate import LocalCertificate
from telephony.rehearsal.gemini.connection import GeminiConnection, Tap
from telephony.rehearsal.gemini.grants import Handles, Tokens, constrained
from telephony.rehearsal.gemini.model_session import GeminiSession, Place
from telephony.rehearsal.gemini.refusal import POLICY_VIOLATION, RefusedError
from telephony.rehearsal.outbox import Wire
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import Scenario, shipped_scenario
from telephony.rehearsal.serving import Serving, origin
from telephony.rehearsal.utterance import Voice

_REMEMBERED_SESSIONS = 512
_CLOSE_GRACE_S = 0.5
_GEMINI = re.compile(
    r"google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)\.GenerativeService"
    r"\.BidiGenerateContent(Constrained)?"
)
_VERTEX = re.compile(r"google\.cloud\.aiplatform\.(v1|v1beta1)\.LlmBidiService/BidiGenerateContent")
_TOKEN_SCHEMES = ("Token ", "Bearer ")


class GeminiServer:
    """Accepts connections until :meth:`close`.

    ``scenario`` and ``faults`` may be replaced at any time; they hold for the next connection.
    ``faults`` None means those of the scenario. ``certificate`` is the file a client has to trust;
    None without TLS.
    """

    def __init__(
        self, scenario: Scenario, api_key: str | None, tap: Tap | None, ids: Ids, voice: Voice
    ) -> None:
        self.scenario = scenario
        self.faults: ConnectionFaults | None = None
        self.api_key = api_key
        self.tap = tap
        self.sessions: deque[GeminiSession] = deque(maxlen=_REMEMBERED_SESSIONS)
        """The last sessions, ended ones too, oldest first."""
        self.connections: set[GeminiConnection] = set()
        self.handshakes = 0
        self.certificate: Path | None = None
        self.host, self.port = "", 0
        self._ids = ids
        self._voice = voice
        self._handles = Handles(ids)
        self._tokens = Tokens(ids)
        self._ears = EarsThread(partial(Ears.for_caller, voice.prompts))
        self._tls: LocalCertificate | None = None
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int, *, tls: bool) -> None:
        """Listen on ``host``; port 0 is any free one. Raise OSError when the port is taken."""
        app = web.Application()
        app.router.add_get("/ws/{service:.+}", self._connect)
        app.router.add_post("/v1alpha/auth_tokens", self._issue_token)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_GRACE_S)
        await self._runner.setup()
        if tls:
            self._tls = LocalCertificate()
            self.certificate = self._tls.path
        context = self._tls.context if self._tls is not None else None
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=context).start()
        except OSError:
            await self.close()
            raise
        self.host, self.port = self._runner.addresses[0][:2]

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL; over TLS by the name in the certificate."""
        if self._tls is not None:
            return origin("localhost", self.port, "https")
        return origin(self.host, self.port)

    async def close(self) -> None:
        """Close every connection with 1001 (going away) and stop listening; twice is once."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        closing = [c.close(1001, "The rehearsal is over.") for c in self.connections]
        if closing:
            ends = [asyncio.ensure_future(end) for end in closing]
            await asyncio.wait(ends, timeout=_CLOSE_GRACE_S)
            for connection in list(self.connections):
                connection.abort()
            await asyncio.wait(ends)
        await runner.cleanup()
        self._ears.close()
        if self._tls is not None:
            self._tls.remove()

    # What connections ask for

    def now(self) -> float:
        return time.monotonic()

    def listen(self, pcm16: bytes) -> asyncio.Future[Recognised]:
        return self._ears.listen(pcm16)

    def _faults_of_next_connection(self) -> ConnectionFaults:
        self.handshakes += 1
        faults = self.scenario.faults if self.faults is None else self.faults
        return faults.of_connection(self.handshakes)

    # Requests

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        faults = self._faults_of_next_connection()
        if faults.refuse_status is not None:
            text = "The rehearsal scenario refuses this handshake.\n"
            return web.Response(status=faults.refuse_status, text=text)
        place = self._place(request)
        if place is None:
            return web.Response(status=404, text=f"There is nothing at {request.path}.\n")
        session = GeminiSession(
            self.scenario, self._voice, self._ids, self._handles, place, self.now(), faults
        )
        self.sessions.append(session)
        connection = GeminiConnection(self, session)
        self.connections.add(connection)
        try:
            return await connection.run(request)
        finally:
            self.connections.discard(connection)

    def _place(self, request: web.Request) -> Place | None:
        service = request.match_info["service"]
        if vertex := _VERTEX.fullmatch(service):
            key = _credential(request, "Authorization", "access_token")
            return Place(vertex[1], vertex=True, admit=self._admit_key(key))
        gemini = _GEMINI.fullmatch(service)
        if gemini is None:
            return None
        if gemini[2]:
            token = _credential(request, "Authorization", "access_token")
            return Place(gemini[1], admit=self._admit_token(token))
        key = _credential(request, "x-goog-api-key", "key")
        return Place(gemini[1], admit=self._admit_key(key))

    def _admit_key(self, key: str) -> Callable[[Wire], Wire]:
        def admit(setup: Wire) -> Wire:
            if not self._is_key(key):
                text = "API key not valid. Please pass a valid API key."
                raise RefusedError(POLICY_VIOLATION, text)
            return setup

        return admit

    def _admit_token(self, name: str) -> Callable[[Wire], Wire]:
        def admit(setup: Wire) -> Wire:
            now = time.time()
            token = self._tokens.admit(name, now)
            resumption = setup.get("sessionResumption")
            if not (isinstance(resumption, dict) and resumption.get("handle")):
                self._tokens.use(token, now)
            return constrained(setup, token.setup)

        return admit

    def _is_key(self, given: str) -> bool:
        wanted = self.api_key
        return wanted is None or hmac.compare_digest(given.encode(), wanted.encode())

    async def _issue_token(self, request: web.Request) -> web.Response:
        if not self._is_key(_credential(request, "x-goog-api-key", "key")):
            return _error(400, "INVALID_ARGUMENT", "API key not valid.")
        try:
            name = self._tokens.issue(await request.json(), time.time())
        except json.JSONDecodeError:
            return _error(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        except RefusedError as refused:
            return _error(400, "INVALID_ARGUMENT", str(refused))
        return web.json_response({"name": name})


def _credential(request: web.Request, header: str, parameter: str) -> str:
    given = request.headers.get(header, "")
    for scheme in _TOKEN_SCHEMES:
        given = given.removeprefix(scheme)
    return given or request.query.get(parameter, "")


def _error(status: int, kind: str, message: str) -> web.Response:
    error = {"code": status, "message": message, "status": kind}
    return web.json_response({"error": error}, status=status)


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    scenario: Scenario | None = None,
    *,
    api_key: str | None = None,
    tap: Tap | None = None,
    ids: Ids | None = None,
    voice: Voice | None = None,
    tls: bool = False,
) -> Serving[GeminiServer]:
    """``api_key`` None accepts any key and none; ``tap`` sees every message."""
    server = GeminiServer(
        scenario or shipped_scenario("default"),
        api_key,
        tap,
        ids or Ids(os.urandom),
        voice or Voice(shipped_prompts()),
    )
    return Serving(server, partial(server.start, host, port, tls=tls))
