from __future__ import annotations

import asyncio
import json
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from telephony.app import cli
from telephony.rehearsal.model_server import serve


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (tmp_path / "config" / "agents").mkdir(parents=True)
    (tmp_path / "config" / "telephony.yaml").write_text("http: {port: null}\n")
    (tmp_path / "config" / "agents" / "built.yaml").write_text("base_url: rehearsal\n")
    return tmp_path


@pytest.fixture(name="server_url")
def _server_url() -> Any:
    """Run a rehearsal server in a thread: the command has a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> Any:
        return await serve()

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    yield server.base_url
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def agent(root: Path, name: str, text: str) -> None:
    (root / "config" / "agents" / f"{name}.yaml").write_text(text)


def models(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = cli.main(["models", *arguments])
    return status, capsys.readouterr().out


def test_models_are_listed_with_their_state(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent(
        root, "sales", "base_url: wss://x.example/v1\nfallback: [{base_url: rehearsal, model: b}]\n"
    )
    status, out = models(capsys)
    assert status == 0
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "built openai_realtime gpt-realtime-2.1 here built in",
        "sales openai_realtime gpt-realtime-2.1 x.example configured",
        "then 1 openai_realtime b here built in",
    ]


def test_what_lacks_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent(root, "openai", "api_key: ${OPENAI_API_KEY}\n")
    agent(root, "wrong", "api: nothing\n")
    status, out = models(capsys, "--json")
    lines = {line["agent"]: line for line in json.loads(out)}
    assert status == 1
    assert lines["openai"]["state"] == "the environment variable OPENAI_API_KEY is not set"
    assert "there is no API 'nothing'" in lines["wrong"]["state"]
    assert [line["ready"] for line in lines.values()] == [True, False, False]


def test_a_live_model_that_nobody_delegates_for_needs_no_extra(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent(root, "live", "api: openai_live\nbase_url: rehearsal\n")
    status, out = models(capsys, "--json")
    assert status == 0
    assert {line["state"] for line in json.loads(out)} == {"built in"}


def test_a_probe_opens_a_session_as_a_call_would(
    root: Path, server_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    agent(root, "there", f"base_url: {server_url}\n")
    agent(root, "gone", "base_url: ws://127.0.0.1:9/v1\n")
    status, out = models(capsys, "--probe", "--json")
    lines = {line["agent"]: line for line in json.loads(out)}
    assert status == 1
    assert lines["there"]["state"].startswith("a session in ")
    assert lines["gone"]["state"].startswith("NOT TO BE HAD: ")


def test_the_table_of_what_each_api_can_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = models(capsys, "--markdown")
    assert status == 0
    assert out.startswith("| `api` | default model |")
    assert "| `openai_realtime` |" in out
