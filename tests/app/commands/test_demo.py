from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from telephony.app import cli
from telephony.app.commands import demo
from telephony.app.server import Server
from telephony.net.listen import Address
from tests.support.ports import free_ports

ROOT = Path(__file__).parents[3]


def test_a_recording_that_cannot_be_made_ends_the_demo_before_its_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plain").touch()
    assert cli.main(["demo", "--once", "--record", str(tmp_path / "plain" / "demo.wav")]) == 1
    out, err = capsys.readouterr()
    assert "INVITE" not in out
    assert "cannot record" in err
    assert "--record" in err


def test_a_reader_who_left_ends_the_demo_quietly() -> None:
    command = [sys.executable, "-m", "telephony.app.cli", "demo", "--record", os.devnull]
    rtp = free_ports(20)
    environ = {
        **os.environ,
        "TELEPHONY_SIP_HOST": "127.0.0.1",
        "TELEPHONY_MEDIA_PORT_MIN": str(rtp),
        "TELEPHONY_MEDIA_PORT_MAX": str(rtp + 19),
        "TELEPHONY_SIP_UDP_PORT": "0",
        "TELEPHONY_SIP_TCP_PORT": "null",
        "TELEPHONY_HTTP_PORT": "null",
    }
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo_process:
        assert demo_process.stdout is not None
        assert demo_process.stderr is not None
        demo_process.stdout.readline()
        demo_process.stdout.close()
        assert demo_process.stderr.read() == b""
    assert demo_process.returncode == demo.EXIT_NOBODY_READS


@pytest.mark.parametrize(
    ("udp", "tcp", "address", "transports"),
    [
        (("192.0.2.7", 5060), ("192.0.2.7", 5060), "sip:bot@192.0.2.7:5060", "UDP and TCP"),
        (("192.0.2.7", 5060), None, "sip:bot@192.0.2.7:5060", "UDP"),
        (None, ("192.0.2.7", 5062), "sip:bot@192.0.2.7:5062;transport=tcp", "TCP"),
        (
            ("192.0.2.7", 5060),
            ("192.0.2.7", 5064),
            "sip:bot@192.0.2.7:5060",
            "UDP; TCP on port 5064",
        ),
    ],
)
def test_the_address_to_dial(
    udp: Address | None, tcp: Address | None, address: str, transports: str
) -> None:
    server = cast(Server, SimpleNamespace(sip_udp=udp, sip_tcp=tcp))
    assert demo._sip_address(server) == address
    assert demo._transports(server) == transports
