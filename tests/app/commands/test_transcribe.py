"""The command, against the rehearsal's server in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from telephony.app import cli
from telephony.rehearsal.speech.speech_server import serve_speech
from tests.support.recordings import DIALOGUE, record
from tests.support.speech import PROMPTS

KEY = bytes(range(32))


@pytest.fixture(name="url")
def _url() -> Iterator[str]:
    """The command has a loop of its own, and so must the server."""
    loop = asyncio.new_event_loop()
    urls: list[str] = []
    started = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        async with serve_speech(api_key="secret") as server:
            urls.append(server.openai_url)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait(10)
    yield urls[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REC_KEY", KEY.hex())
    monkeypatch.setenv("STT_KEY", "secret")
    (tmp_path / "config").mkdir()
    transcribe = f"transcribe: {{base_url: '{url}', api_key: '${{STT_KEY}}'}}"
    text = f"media: {{recording: {{key: '${{REC_KEY}}', {transcribe}}}}}"
    (tmp_path / "config" / "telephony.yaml").write_text(text)
    return tmp_path


def test_text(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = asyncio.run(record(root))
    assert cli.main(["transcribe", str(path)]) == 0
    out = capsys.readouterr().out
    assert f"[0:04 caller] {PROMPTS['caller_question'].text}" in out
    lines = [line for line in out.splitlines() if line.startswith("[")]
    assert len(lines) == len(DIALOGUE)


def test_json_and_a_summary(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = asyncio.run(record(root))
    assert cli.main(["transcribe", str(path), "--json", "--summary", "--via", "chat"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [part["speaker"] for part in told["parts"]] == [who for who, _, _ in DIALOGUE]
    assert told["summary"].startswith("Summary")
    assert told["model"] == "gpt-audio-1.5"


@pytest.mark.parametrize("key", [None, KEY])
def test_saved_beside_the_recording(
    root: Path, key: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = asyncio.run(record(root, key=key))
    assert cli.main(["transcribe", str(path), "--save"]) == 0
    suffix = ".sealed" if key else ""
    written = root / f"0123456789ab.txt{suffix}"
    assert written.stat().st_mode & 0o777 == 0o600
    if key:
        assert PROMPTS["greeting"].text.encode() not in written.read_bytes()
        assert cli.main(["recording", "decrypt", str(written)]) == 0
        written = root / "0123456789ab.txt"
    assert PROMPTS["greeting"].text in written.read_text("utf-8")
    assert (root / f"0123456789ab.json{suffix}").exists()
    # Once more takes their place.
    assert cli.main(["transcribe", str(path), "--save"]) == 0
    assert sorted(p.name for p in root.iterdir() if p.name.startswith(".")) == []


def test_the_server_of_an_agent(root: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    agents = root / "config" / "agents"
    agents.mkdir()
    agent = f"base_url: {url.replace('http', 'ws')}\napi_key: ${{STT_KEY}}\n"
    (agents / "anna.yaml").write_text(agent)
    config = root / "config" / "telephony.yaml"
    config.write_text("agents: {dir: agents}")
    path = asyncio.run(record(root))
    assert cli.main(["transcribe", str(path), "--agent", "anna"]) == 0
    assert " anna]" in capsys.readouterr().out
    assert cli.main(["transcribe", str(path), "--agent", "otto"]) == 1
    assert "known here: anna" in capsys.readouterr().err


def test_what_goes_wrong_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = asyncio.run(record(root))

    def fails(*arguments: str) -> str:
        assert cli.main(["transcribe", *arguments]) == 1
        return capsys.readouterr().err

    (root / "no.wav").write_bytes(b"no recording")
    assert "neither WAV, FLAC nor Opus" in fails(str(root / "no.wav"))
    assert "No such file" in fails(str(root / "nothing.wav"))
    monkeypatch.setenv("STT_KEY", "wrong")
    assert "401" in fails(str(path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (root / "config" / "telephony.yaml").write_text("{}")
    assert "export OPENAI_API_KEY" in fails(str(path))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    sealed = asyncio.run(record(root / "sealed", key=KEY))
    assert "media.recording.key names no key" in fails(str(sealed))
    monkeypatch.setenv("OTHER", bytes(32).hex())
    assert "names another key" in fails(str(sealed), "--key-variable", "OTHER")
