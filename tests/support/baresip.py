"""baresip as a child process without a sound card: it plays a file and records what it hears."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from tests.support.peer_process import peer_process
from tests.support.peers import require_program
from tests.support.ports import free_ports

_MODULES = Path("/usr/lib/baresip/modules")

_CONFIG = """\
poll_method epoll
sip_listen 127.0.0.1:{sip_port}
net_interface 127.0.0.1
call_local_timeout 60
call_max_calls 4
audio_source aufile,{play}
audio_srate {rate_hz}
audio_channels 1
audio_txmode thread
rtp_ports {rtp_low}-{rtp_high}
module_path {modules}
module g711.so
module g722.so
module opus.so
opus_stereo no
opus_sprop_stereo no
opus_inbandfec yes
opus_bitrate 32000
module aufile.so
module sndfile.so
module srtp.so
module_tmp account.so
module_app menu.so
module ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
snd_path {directory}
"""

Codec = Literal["PCMU", "PCMA", "G722", "opus"]
_FORMATS: dict[Codec, tuple[str, int]] = {
    "PCMU": ("PCMU/8000", 8000),
    "PCMA": ("PCMA/8000", 8000),
    # Its RTP clock is no sample rate.
    "G722": ("G722/16000", 16000),
    "opus": ("opus/48000/1", 48000),
}
"""What baresip calls each codec, and the rate of what it plays and records."""

_TLS = """\
sip_cafile {authority}
sip_verify_server yes
"""


class Baresip:
    """A running baresip, commanded over its control socket.

    ``events`` has every event it reported, in order: ``CALL_RINGING``, ``CALL_ESTABLISHED``,
    ``CALL_CLOSED`` and so on, each a dict with ``type`` and ``param``.
    """

    def __init__(self, directory: Path, user: str, sip_port: int, control_port: int) -> None:
        self.uri = f"sip:{user}@127.0.0.1:{sip_port}"
        self.address = ("127.0.0.1", sip_port)
        self.events: list[dict[str, Any]] = []
        self._directory = directory
        self._control_port = control_port
        self._changed = asyncio.Event()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    @property
    def log(self) -> str:
        return (self._directory / "baresip.log").read_text(errors="replace")

    async def dial(self, uri: str) -> None:
        await self._command("dial", uri)

    async def hangup(self) -> None:
        await self._command("hangup")

    async def press(self, digits: str) -> None:
        """Send each digit as a telephone-event."""
        for digit in digits:
            await self._command("sndcode", digit)
            await asyncio.sleep(0.2)

    async def until(self, event_type: str, timeout_s: float = 60.0) -> dict[str, Any]:
        """Return the first event of a type, waiting for it if need be."""
        async with asyncio.timeout(timeout_s):
            while True:
                for event in self.events:
                    if event["type"] == event_type:
                        return event
                self._changed.clear()
                await self._changed.wait()

    def heard(self) -> Path:
        """Return the WAV file of what came in last; complete once the call is closed."""
        return self._recording("dec")

    def said(self) -> Path:
        """Return the WAV file of what went out last."""
        return self._recording("enc")

    def _recording(self, direction: str) -> Path:
        found = sorted(self._directory.glob(f"dump-*-{direction}.wav"))
        assert found, f"baresip recorded nothing\n{self.log}"
        return found[-1]

    async def _command(self, command: str, parameters: str = "") -> None:
        message = json.dumps({"command": command, "params": parameters}).encode()
        self._writer.write(b"%d:%s," % (len(message), message))
        await self._writer.drain()

    async def _connect(self) -> bool:
        try:
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self._control_port
            )
        except ConnectionRefusedError:
            return False
        return True

    async def _read_events(self) -> None:
        """Read netstrings of JSON until baresip goes away."""
        with suppress(asyncio.IncompleteReadError, ConnectionResetError):
            while True:
                size = int((await self._reader.readuntil(b":"))[:-1])
                message = json.loads((await self._reader.readexactly(size + 1))[:-1])
                if message.get("event"):
                    self.events.append(message)
                    self._changed.set()

    async def _disconnect(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


@asynccontextmanager
async def baresip(
    directory: Path,
    *,
    play: Path,
    user: str = "baresip",
    codec: Codec = "PCMU",
    answer: Literal["manual", "auto"] = "manual",
    media_encryption: Literal["srtp", "srtp-mand", "srtp-mandf"] | None = None,
    transport: Literal["udp", "tls"] = "udp",
    authority: Path | None = None,
    port: int = 0,
    rtcp_mux: bool = False,
) -> AsyncIterator[Baresip]:
    """Run a baresip that says ``play`` (mono, 16 bits, at the codec's rate) in its calls.

    ``media_encryption`` offers RTP/AVP with keys, or RTP/SAVP(F) and nothing else. Whom it
    connects to by TLS must have a certificate signed by ``authority``.
    """
    program = require_program("baresip")
    port = port or free_ports(20)
    control_port = port + 4
    audio_codec, rate_hz = _FORMATS[codec]
    (directory / "config").write_text(
        _CONFIG.format(
            sip_port=port,
            control_port=control_port,
            rtp_low=port + 6,
            rtp_high=port + 18,
            play=play,
            rate_hz=rate_hz,
            modules=_MODULES,
            directory=directory,
        )
        + (_TLS.format(authority=authority) if authority else "")
        + ("rtcp_mux yes\n" if rtcp_mux else "")
    )
    encryption = "" if media_encryption is None else f";mediaenc={media_encryption}"
    (directory / "accounts").write_text(
        f"<sip:{user}@127.0.0.1:{port};transport={transport}>;regint=0;answermode={answer};audio_codecs={audio_codec}"
        f"{encryption}\n"
    )
    (directory / "contacts").write_text("")
    arguments = [program, "-f", str(directory)]
    async with peer_process(arguments, directory, directory / "baresip.log") as process:
        peer = Baresip(directory, user, port, control_port)
        async with asyncio.timeout(60):
            while not await peer._connect():
                assert process.returncode is None, peer.log
                await asyncio.sleep(0.02)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(peer._read_events())
            try:
                yield peer
                await peer._command("quit")
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 2)
            finally:
                reading.cancel()
                await peer._disconnect()
