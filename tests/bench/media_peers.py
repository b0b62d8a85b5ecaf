"""The echoes that ``scripts/bench media`` calls: processes of their own on one core."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

BARESIP_MODULES = Path("/usr/lib/baresip/modules")

# Its buffers are as it has them by default; PLC, which it leaves out by default, is on.
BARESIP_CONFIG = """\
poll_method epoll
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
call_max_calls 4
call_local_timeout 60
audio_player aubridge,nil
audio_source aubridge,nil
audio_srate 8000
audio_channels 1
audio_txmode thread
rtp_ports 50300-50398
module_path {modules}
module g711.so
module aubridge.so
module plc.so
module_tmp account.so
module_app echo.so
"""


@dataclass(frozen=True)
class Kind:
    """A peer that can be started: ``command(port, folder)`` prepares its files there."""

    name: str
    title: str
    command: Callable[[int, Path], Sequence[str]]


def _python(module: str, port: int, folder: Path) -> Sequence[str]:
    return sys.executable, "-m", f"tests.bench.{module}", str(port), str(folder / "report")


def _baresip(port: int, folder: Path) -> Sequence[str]:
    program = shutil.which("baresip")
    if program is None:
        raise SystemExit("baresip is not installed: apt-get install baresip-core")
    (folder / "config").write_text(BARESIP_CONFIG.format(port=port, modules=BARESIP_MODULES))
    (folder / "accounts").write_text(
        f"<sip:echo@127.0.0.1:{port}>;regint=0;audio_codecs=PCMU/8000\n"
    )
    (folder / "contacts").write_text("")
    return program, "-f", str(folder)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("ours", "this bot", partial(_python, "media_echo")),
        Kind("baresip", "baresip (Debian)", _baresip),
        Kind("baresip-py", "baresip (PyPI)", partial(_python, "media_baresip")),
        Kind("pjsip", "PJSIP (pjsua2)", partial(_python, "media_pjsip")),
    )
}


class Peer:
    """A running echo, and what the kernel says it used."""

    def __init__(self, kind: Kind, port: int, core: int, folder: Path) -> None:
        self.kind = kind
        self.port = port
        self._report = folder / "report"
        self._log = folder / "log"
        command = ["taskset", "-c", str(core), *kind.command(port, folder)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def wait_until_up(self) -> None:
        """Return once it answers OPTIONS; raises SystemExit when it does not."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            probe.settimeout(0.25)
            for _ in range(40):
                try:
                    probe.sendto(_options(self.port, probe.getsockname()[1]), self._address)
                    probe.recv(4096)
                    return
                except OSError:
                    time.sleep(0.05)
        raise SystemExit(f"{self.kind.title} did not start:\n{self._log.read_text()[-2000:]}")

    @property
    def _address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def uri(self) -> str:
        return f"sip:echo@127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """Return the seconds of a core that the threads now alive have used."""
        used_ns = 0
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            with suppress(OSError):  # a thread that ended this moment
                used_ns += int((task / "schedstat").read_text().split()[0])
        return used_ns / 1e9

    def report_on(self, call: str) -> dict[str, Any]:
        """Return what the peer itself counted in a call that is over; empty if it does not."""
        if not self._report.exists():
            return {}
        lines = map(json.loads, self._report.read_text().splitlines())
        return next((line for line in lines if line.get("call") == call), {})

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _options(port: int, from_port: int) -> bytes:
    return (
        f"OPTIONS sip:echo@127.0.0.1:{port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{from_port};branch=z9hG4bK{time.monotonic_ns()};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:probe@127.0.0.1>;tag=1\r\n"
        f"To: <sip:echo@127.0.0.1>\r\nCall-ID: {time.monotonic_ns()}@127.0.0.1\r\n"
        f"CSeq: 1 OPTIONS\r\nContact: <sip:probe@127.0.0.1:{from_port}>\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()
