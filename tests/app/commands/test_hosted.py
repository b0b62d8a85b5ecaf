from __future__ import annotations

import argparse
import socket
from pathlib import Path

import pytest
import structlog

from telephony.app.cli import main
from telephony.app.commands import hosted
from telephony.calls.agent import Agent
from telephony.calls.model_source import ModelSource
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_model import OpenAILiveModel
from tests.support.hosted import KEY, SECRET, hosted_bot


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", SECRET)


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    hosted.add_arguments(parser)
    return parser.parse_args(given)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_it_calls_a_bot_and_tells_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hosted, "QUIET_S", 0.6)
    port = free_port()
    api = {"base_url": f"http://127.0.0.1:{port}/v1"}
    async with hosted_bot(tmp_path, monkeypatch, hosted_sip=api) as bot:
        args = arguments(
            "--webhook", bot.webhook_url, "--port", str(port), "--say", "caller_goodbye"
        )
        assert await hosted._rehearse(args, SECRET, KEY)
    out = capsys.readouterr().out
    assert f"hosted_sip.base_url: http://127.0.0.1:{port}/v1" in out
    assert "realtime: HTTP 200" in out
    assert "accept realtime" in out
    assert "“Hello, this is the rehearsal bot. How can I help you?”" in out
    assert "“Thank you for calling. Goodbye!”" in out
    assert "hangup" in out


async def test_a_call_on_live_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hosted, "QUIET_S", 0.6)
    port = free_port()
    api = {"base_url": f"http://127.0.0.1:{port}/v1"}
    source = ModelSource(OpenAILiveModel(LiveConfig.from_mapping({})))
    agents = {"bot": Agent("bot", source, greeting="Good morning.")}
    async with hosted_bot(tmp_path, monkeypatch, agents=agents, hosted_sip=api) as bot:
        args = arguments("--webhook", bot.webhook_url, "--port", str(port), "--say", "caller_yes")
        assert await hosted._rehearse(args, SECRET, KEY)
    lines = capsys.readouterr().out.splitlines()
    said = [line.split(maxsplit=1)[1] for line in lines if "“" in line]
    assert said[:2] == ["model     “Good morning.”", "caller    “Yes please do that.”"]


async def test_a_bot_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("telephony.rehearsal.hosted.webhooks.RETRY_DELAYS_S", ())
    monkeypatch.setattr(hosted, "ANSWER_LIMIT_S", 0.01)
    monkeypatch.setattr(hosted, "QUIET_S", 0.01)
    url = f"http://127.0.0.1:{free_port()}/hooks/openai"
    args = arguments("--webhook", url, "--port", "0", "--only", "live")
    assert not await hosted._rehearse(args, SECRET, None)
    out = capsys.readouterr().out
    assert "live: nobody answered" in out
    assert f"does the bot listen at {url}?" in out


@pytest.mark.parametrize(
    ("path", "secret", "hint"),
    [
        ("", "whsec_YW5vdGhlciBzZWNyZXQ=", "is the signing secret one of hosted_sip.secrets?"),
        ("/nowhere", SECRET, "(hosted_sip.enabled, port and path)"),
    ],
)
async def test_a_bot_that_takes_no_webhook(
    path: str,
    secret: str,
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("telephony.rehearsal.hosted.webhooks.RETRY_DELAYS_S", ())
    async with hosted_bot(tmp_path, monkeypatch) as bot:
        args = arguments("--webhook", bot.webhook_url + path, "--port", "0", "--only", "live")
        assert not await hosted._rehearse(args, secret, None)
    assert hint in capsys.readouterr().out


async def test_a_bot_that_lets_go_after_the_caller_left_is_still_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted, "QUIET_S", 0.1)
    port = free_port()
    api = {"base_url": f"http://127.0.0.1:{port}/v1"}
    with structlog.testing.capture_logs() as logs:
        async with hosted_bot(tmp_path, monkeypatch, hosted_sip=api) as bot:
            args = arguments("--webhook", bot.webhook_url, "--port", str(port))
            assert await hosted._rehearse(args, SECRET, KEY)
    events = {entry["event"] for entry in logs}
    assert "call.finished" in events
    assert "hosted.request_failed" not in events


def test_a_variable_that_is_not_set_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hosted", "--key-variable", "NO_SUCH_KEY"]) == 1
    assert capsys.readouterr().err == "telephony hosted: NO_SUCH_KEY is not set\n"
    monkeypatch.delenv("OPENAI_WEBHOOK_SECRET")
    assert main(["hosted"]) == 1
    assert "OPENAI_WEBHOOK_SECRET is not set" in capsys.readouterr().err


def test_a_phrase_that_nobody_can_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hosted", "--say", "hello"]) == 1
    assert "no phrase 'hello'; known: caller_question" in capsys.readouterr().err


def test_a_taken_port(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["hosted", "--port", str(port)]) == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in capsys.readouterr().err
