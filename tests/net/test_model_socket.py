"""Against the WebSocket server of ``websockets`` and against sockets that misbehave."""

from __future__ import annotations

import asyncio
import http
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from websockets.asyncio.server import ServerConnection, serve

from telephony.net.model_socket import ModelConnectError, ModelSocket, SocketLimits
from tests.support.eventually import eventually

Serving = Callable[[ServerConnection], Awaitable[None]]
RunAsync = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> RunAsync:
    """Run a test's body on each of the two loops the bot may have."""

    def run_on_loop(body: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(body)

    return run_on_loop


class Inbox:
    """What a socket reported."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.closed: list[tuple[int, str]] = []

    def on_message(self, message: bytes) -> None:
        assert not self.closed
        self.messages.append(message)

    def on_closed(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))


async def connect(url: str, inbox: Inbox, **limits: Any) -> ModelSocket:
    return await ModelSocket.connect(
        url,
        {"Authorization": "Bearer key"},
        inbox.on_message,
        inbox.on_closed,
        limits=SocketLimits(**limits),
    )


@asynccontextmanager
async def serving(handler: Serving, **options: Any) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/realtime?model=m"


@asynccontextmanager
async def listening(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A plain TCP server with a small window, for peers that ``websockets`` can't play."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(handler, sock=listener, limit=4096)
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.close()


async def until_closed(connection: ServerConnection) -> None:
    await connection.wait_closed()


def test_messages_go_both_ways(run: RunAsync) -> None:
    async def echo(connection: ServerConnection) -> None:
        assert connection.request is not None
        assert connection.request.headers["Authorization"] == "Bearer key"
        assert connection.request.path == "/v1/realtime?model=m"
        async for message in connection:
            assert isinstance(message, str)
            await connection.send(message)

    async def body() -> None:
        inbox = Inbox()
        async with serving(echo) as url:
            model = await connect(url, inbox)
            assert model.is_open
            model.send(b'{"type":"a"}')
            assert model.send_audio(b'{"type":"b"}')
            await eventually(lambda: len(inbox.messages) == 2)
            await model.close()
        assert inbox.messages == [b'{"type":"a"}', b'{"type":"b"}']
        assert inbox.closed == []
        assert not model.is_open

    run(body())


def test_binary_messages_and_audio_in_binary_messages(run: RunAsync) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)
            if isinstance(message, bytes):
                await connection.send([message, message])

    async def body() -> None:
        inbox, binary = Inbox(), list[bytes]()
        async with serving(echo) as url:
            socket = await ModelSocket.connect(
                url,
                {},
                inbox.on_message,
                inbox.on_closed,
                on_binary=binary.append,
                binary_audio=True,
            )
            socket.send_audio(b"\xff\x00")
            socket.send(b"text")
            await eventually(lambda: len(binary) == 2 and len(inbox.messages) == 1)
            await socket.close()
        assert binary == [b"\xff\x00", b"\xff\x00\xff\x00"]
        assert inbox.messages == [b"text"]

    run(body())


def test_what_waits_keeps_its_kind(run: RunAsync) -> None:
    kinds: list[str] = []

    async def collect(connection: ServerConnection) -> None:
        async for message in connection:
            kinds[len(kinds) :] = [type(message).__name__]

    async def body() -> None:
        inbox = Inbox()
        async with serving(collect) as url:
            socket = await ModelSocket.connect(
                url, {}, inbox.on_message, inbox.on_closed, binary_audio=True
            )
            socket.pause_writing()
            socket.send_audio(b"\xff")
            socket.send(b"text")
            socket.send_audio(b"\xff")
            socket.resume_writing()
            await eventually(lambda: len(kinds) == 3)
            await socket.close()
        assert kinds == ["bytes", "str", "bytes"]

    run(body())


def test_a_first_message_in_the_handshakes_packet_is_not_lost(run: RunAsync) -> None:
    async def greet(connection: ServerConnection) -> None:
        await connection.send("first")
        await connection.send("second")
        await connection.close(1008, "no more")

    async def body() -> None:
        inbox = Inbox()
        async with serving(greet) as url:
            model = await connect(url, inbox)
            assert inbox.messages == []
            await eventually(lambda: inbox.closed)
            assert inbox.messages == [b"first", b"second"]
            await model.close()
        assert inbox.closed == [(1008, "no more")]

    run(body())


def test_fragments_are_put_together_and_size_is_bounded(run: RunAsync) -> None:
    async def fragments(connection: ServerConnection) -> None:
        await connection.send(["abc", "def", "ghi"])
        await connection.send(b"binary")
        await connection.send("x" * 20_000)
        await until_closed(connection)

    async def body() -> None:
        inbox = Inbox()
        async with serving(fragments) as url:
            model = await connect(url, inbox, message_bytes=10_000)
            await eventually(lambda: inbox.closed)
            await model.close()
        assert inbox.messages == [b"abcdefghi", b"binary"]
        assert inbox.closed[0][0] == 1009
        assert len(inbox.closed) == 1

    run(body())


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1013, 4000])
def test_the_servers_close_code_is_reported(run: RunAsync, code: int) -> None:
    async def closing(connection: ServerConnection) -> None:
        await connection.close(code, "said so")

    async def body() -> None:
        inbox = Inbox()
        async with serving(closing) as url:
            model = await connect(url, inbox)
            await eventually(lambda: inbox.closed)
            assert not model.is_open
            assert not model.send_audio(b"late")
            model.send(b"late")
            await model.close()
        assert inbox.closed == [(code, "said so")]
        assert model.audio_dropped == 1

    run(body())


def test_an_abrupt_end_is_reported_once(run: RunAsync) -> None:
    async def vanish(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.abort()

    async def body() -> None:
        inbox = Inbox()
        async with serving(vanish) as url:
            model = await connect(url, inbox)
            model.send(b"x")
            await eventually(lambda: inbox.closed)
            await model.close()
        assert [code for code, _reason in inbox.closed] == [1006]

    run(body())


def test_an_answer_to_what_came_with_the_end_goes_nowhere(run: RunAsync) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        # Both in one packet.
        connection.protocol.send_text(b"hello")
        connection.protocol.send_close(1001, "bye")
        connection.send_data()

    async def body() -> None:
        answered = []

        def answer(message: bytes) -> None:
            socket.send(b"answer")
            answered.append(socket.send_audio(b"audio"))

        inbox = Inbox()
        async with serving(handler) as url:
            socket = await ModelSocket.connect(url, {}, answer, inbox.on_closed)
            socket.send(b"question")
            await eventually(lambda: inbox.closed)
            assert inbox.closed == [(1001, "bye")]
            assert answered == [False]
            await socket.close()

    run(body())


def test_nothing_is_sent_between_the_last_octet_and_the_end(run: RunAsync) -> None:
    async def body() -> None:
        inbox = Inbox()
        async with serving(until_closed) as url:
            socket = await connect(url, inbox)
            socket.eof_received()
            socket.send(b"a frame of the caller comes first")
            assert not socket.send_audio(b"audio")
            await socket.close()

    run(body())


def test_audio_between_the_peers_last_word_and_the_end_goes_nowhere(run: RunAsync) -> None:
    async def body() -> None:
        inbox = Inbox()
        async with serving(lambda server: server.wait_closed()) as url:
            connection = await connect(url, inbox)
            await asyncio.sleep(0)
            # The loop tells of the end of the peer's data before it closes the transport.
            connection.eof_received()
            assert connection.send_audio(b"caller") is False
            connection.send(b"control")
            assert not connection.is_open
            await connection.close()
        assert connection.audio_dropped == 1
        assert inbox.closed == [(1006, "connection lost")]

    run(body())


def test_our_close_carries_its_code_after_what_was_sent(run: RunAsync) -> None:
    heard: list[object] = []

    async def listen(connection: ServerConnection) -> None:
        heard.extend([message async for message in connection])
        await connection.wait_closed()
        heard.append(connection.close_code)

    async def body() -> None:
        inbox = Inbox()
        async with serving(listen) as url:
            model = await connect(url, inbox)
            model.send(b"last")
            await asyncio.gather(model.close(1001), model.close(1001))
            await eventually(lambda: len(heard) == 2)
        assert inbox.closed == []

    run(body())
    assert heard == ["last", 1001]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_refused_handshake_names_its_status(run: RunAsync, status: int) -> None:
    def refuse(connection: ServerConnection, _request: object) -> Any:
        return connection.respond(http.HTTPStatus(status), '{"error":{"message":"go away"}}')

    async def body() -> None:
        inbox = Inbox()
        async with serving(until_closed, process_request=refuse) as url:
            with pytest.raises(ModelConnectError, match="go away") as caught:
                await connect(url, inbox)
        assert caught.value.status == status
        assert caught.value.fatal == (status in (401, 403))
        assert inbox.closed == []

    run(body())


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 101 Switching\r\n\r\n", b"\x00\x01garbage\r\n\r\n", b"HTTP/1.1 1"]
)
def test_a_handshake_that_is_none_fails(run: RunAsync, answer: bytes) -> None:
    async def garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async def body() -> None:
        async with listening(garbage) as url:
            with pytest.raises(ModelConnectError) as caught:
                await connect(url, Inbox())
        assert caught.value.status == 0
        assert not caught.value.fatal
        assert str(caught.value)

    run(body())


def test_a_handshake_that_is_none_fails_although_the_server_stays(run: RunAsync) -> None:
    gone = asyncio.Event()

    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        while await reader.read(4096):
            pass
        await gone.wait()
        writer.close()

    async def body() -> None:
        async with listening(garbage) as url:
            with pytest.raises(ModelConnectError, match="HTTP response"):
                await connect(url, Inbox(), open_timeout_s=60.0)
            gone.set()

    run(body())


def test_a_server_that_never_answers_times_out(run: RunAsync) -> None:
    gone = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            pass
        gone.append(True)
        writer.close()

    async def body() -> None:
        async with listening(silent) as url:
            with pytest.raises(ModelConnectError, match="within"):
                await connect(url, Inbox(), open_timeout_s=0.05)
            await eventually(lambda: gone)

    run(body())


def test_nobody_listening_is_a_connect_error(run: RunAsync) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    async def body() -> None:
        with pytest.raises(ModelConnectError, match="cannot connect") as caught:
            await connect(f"ws://127.0.0.1:{port}/", Inbox())
        assert not caught.value.fatal

    run(body())


class StalledServer:
    """Completes the handshake through ``websockets``, then reads only when told to."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.heard: list[str | bytes] = []

    async def __call__(self, connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await self.release.wait()
        connection.transport.resume_reading()
        async for message in connection:
            self.heard.append(message)


@asynccontextmanager
async def stalled(server: StalledServer) -> AsyncIterator[str]:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    async with serve(server, sock=listener, max_queue=4):
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_stalled_reader_costs_the_oldest_audio_and_no_control(run: RunAsync) -> None:
    async def body() -> None:
        server = StalledServer()
        inbox = Inbox()
        async with stalled(server) as url:
            model = await connect(url, inbox, audio_queue_bytes=20_000)
            sent = 0
            for number in range(400):
                model.send_audio(f"audio {number:04}".encode().ljust(1000))
                if number % 20 == 0:
                    model.send(f"control {number:04}".encode())
                sent += 1
                await asyncio.sleep(0)
            assert model.audio_dropped > 100
            server.release.set()
            expected = sent - model.audio_dropped + 20
            await eventually(lambda: len(server.heard) == expected)
            await model.close()
        heard = [str(message).split()[:2] for message in server.heard]
        controls = [number for kind, number in heard if kind == "control"]
        assert controls == [f"{number:04}" for number in range(0, 400, 20)]
        # A control message follows the audio of its own number: order holds across both kinds.
        numbers = [number for _kind, number in heard]
        assert numbers == sorted(numbers)
        # The newest audio is what remained.
        assert numbers[-1] == "0399"
        assert [n for kind, n in heard if kind == "audio"][-20:] == [
            f"{number:04}" for number in range(380, 400)
        ]
        assert inbox.closed == []

    run(body())


def test_control_messages_beyond_all_measure_end_the_connection(run: RunAsync) -> None:
    async def body() -> None:
        server = StalledServer()
        inbox = Inbox()
        async with stalled(server) as url:
            model = await connect(url, inbox, control_bytes=50_000)
            for _ in range(1000):
                model.send(b"c" * 1000)
            await eventually(lambda: inbox.closed)
            server.release.set()
            await model.close()
        assert inbox.closed == [(1006, "the peer reads no more")]

    run(body())


def test_closing_a_stuck_connection_does_not_wait(run: RunAsync) -> None:
    async def body() -> None:
        server = StalledServer()
        inbox = Inbox()
        async with stalled(server) as url:
            model = await connect(url, inbox, close_timeout_s=60.0)
            for _ in range(300):
                model.send_audio(b"a" * 1000)
            await model.close()
            server.release.set()
        assert inbox.closed == []

    run(body())


def test_pongs_keep_the_connection_and_their_absence_ends_it(run: RunAsync) -> None:
    async def body() -> None:
        server = StalledServer()
        inbox = Inbox()
        async with stalled(server) as url:
            model = await connect(url, inbox, ping_interval_s=0.01, pong_timeout_s=0.05)
            await eventually(lambda: inbox.closed)
            server.release.set()
            await model.close()
        assert inbox.closed == [(1006, "no answer to a ping")]

    run(body())


def test_a_peer_that_answers_pings_stays_connected(run: RunAsync) -> None:
    async def body() -> None:
        inbox = Inbox()
        async with serving(until_closed) as url:
            model = await connect(url, inbox, ping_interval_s=0.002, pong_timeout_s=10.0)
            received = model.bytes_received
            # Each pong is two bytes: five answers came, so five pings went out.
            await eventually(lambda: model.bytes_received >= received + 10)
            assert model.is_open
            await model.close()
        assert inbox.closed == []

    run(body())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    both = folder / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    both.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return both


def test_wss_verifies_the_certificate(run: RunAsync, certificate: Path) -> None:
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def body() -> None:
        inbox = Inbox()
        async with serving(echo, ssl=server_context) as url:
            secure = url.replace("ws://", "wss://")
            with pytest.raises(ModelConnectError, match="certificate"):
                await connect(secure, inbox)
            model = await ModelSocket.connect(
                secure, {}, inbox.on_message, inbox.on_closed, ssl_context=trusting
            )
            model.send_audio(b"over tls" * 1000)
            await eventually(lambda: inbox.messages)
            await model.close()
        assert inbox.messages == [b"over tls" * 1000]

    run(body())
