from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from telephony.app import cli
from telephony.app.commands.trunks import ask, url_of
from telephony.app.settings import Http


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config" / "trunks").mkdir(parents=True)
    (tmp_path / "config" / "telephony.yaml").write_text("http: {port: null}\n")
    (tmp_path / "config" / "trunks" / "off.yaml").write_text("enabled: false\nservers: a\n")
    (tmp_path / "config" / "trunks" / "pbx.yaml").write_text(
        "servers: 192.0.2.7\nsrtp: required\nusername: u\nregister: true\noutbound: false\n"
    )
    return tmp_path


def state(**changes: Any) -> dict[str, Any]:
    return {
        "name": "pbx",
        "up": True,
        "servers": [],
        "registered": True,
        "registered_with": "sip:192.0.2.7",
        "registered_for_s": 60,
        "registration_error": "",
        "calls": {"inbound": 0, "outbound": 0},
        **changes,
    }


class Bot(BaseHTTPRequestHandler):
    body = b"[]"

    def do_GET(self) -> None:
        assert self.path == "/trunks"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture(name="url")
def _url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Bot)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_without_a_bot_the_configuration_is_listed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["trunks"]) == 3
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "off  not enabled",
        "pbx  sip:192.0.2.7; registers u; no outbound calls; SRTP required",
    ]
    assert "no bot to be asked: http.port is null" in err


@pytest.mark.parametrize(
    ("changes", "exit_status", "said"),
    [
        ({}, 0, "pbx  up    registered with sip:192.0.2.7 for 60 s"),
        ({"registered": None}, 0, "does not register"),
        ({"registered": False, "registration_error": "403 No"}, 1, "NOT REGISTERED"),
        ({"up": False}, 1, "pbx  DOWN"),
    ],
)
def test_the_state_of_the_running_bot(
    root: Path,
    url: str,
    changes: dict[str, Any],
    exit_status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Bot, "body", json.dumps([state(**changes)]).encode())
    assert cli.main(["trunks", "--url", url]) == exit_status
    assert said in capsys.readouterr().out
    assert cli.main(["trunks", "--url", url, "--json"]) == exit_status
    assert json.loads(capsys.readouterr().out) == [state(**changes)]


def test_no_bot_and_no_answer_that_is_one(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask("http://127.0.0.1:1") is None
    assert ask("file:///etc/passwd") is None
    assert ask(url) == []
    for body in (b"{}", b"nonsense"):
        monkeypatch.setattr(Bot, "body", body)
        assert ask(url) is None


def test_where_the_bot_is_asked() -> None:
    assert url_of(Http(port=None)) is None
    assert url_of(Http(port=0)) is None
    assert url_of(Http(host="0.0.0.0")) == "http://127.0.0.1:8080"
    assert url_of(Http(host="::")) == "http://[::1]:8080"


def test_no_trunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELEPHONY_HTTP_PORT", "null")
    assert cli.main(["trunks"]) == 3
    assert "no trunks are configured" in capsys.readouterr().out
