"""The bot as a child process: ``telephony serve`` with a configuration of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.peer_process import peer_process
from tests.support.ports import reserved_ports

REPOSITORY = Path(__file__).parents[2]
PROMPTS = REPOSITORY / "telephony" / "rehearsal" / "prompts"

STARTED_WITHIN_S = 60.0
RTP_PAIRS = 100
COMMAND_RTP_PORTS = 20

DIALPLAN = """\
contexts:
  main:
    - name: everyone
      when: {called: [bot, "+15550100"]}
      do: [answer, {connect_model: {agent: rehearsal}}]
    - name: deaf model
      when: {called: slow}
      do: [{connect_model: {agent: deaf}}]
    - name: no model
      when: {called: unreachable}
      do: [{connect_model: {agent: unreachable}}]
    - name: refused
      when: {called: busy}
      do: [{reject: {status: 486, reason: Busy}}]
    - name: announcement
      when: {called: announcement}
      do: [{play: announcement.wav}, hangup]
    - name: early media, then the answer
      when: {called: early}
      do: [pre_answer, {play: announcement.wav}, answer, {play: announcement.wav}, hangup]
    - name: early media and no answer
      when: {called: early_busy}
      do: [pre_answer, {play: announcement.wav}, {reject: {status: 486, reason: Busy}}]
"""


@dataclass(frozen=True)
class Scrape:
    """What /metrics said at one moment."""

    samples: tuple[tuple[str, Mapping[str, str], float], ...]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of the samples that have these labels; 0 when there are none."""
        return sum(
            value
            for found, has, value in self.samples
            if found == name and all(has.get(label) == want for label, want in labels.items())
        )

    @property
    def names(self) -> set[str]:
        return {name for name, _, _ in self.samples}


class Bot:
    """A running bot. ``log`` and ``events`` begin where :meth:`forget_log` was last called."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes], rtp: range) -> None:
        self.directory = directory
        self.process = process
        self.cdr_file = directory / "cdr.jsonl"
        self.rtp_ports = rtp
        self.sip: tuple[str, int] = ("", 0)
        self.http = ""
        self._log_from = 0

    # What it says of itself.

    @property
    def log_text(self) -> str:
        return (self.directory / "bot.log").read_text(errors="replace")

    def log(self, word: str = "") -> list[dict[str, Any]]:
        """Return the log, or its lines with a word; one that is being written is left out.

        Every line must be JSON.
        """
        lines = self.log_text.split("\n")[self._log_from : -1]
        return [json.loads(line) for line in lines if word in line]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.log(name) if line["event"] == name]

    def forget_log(self) -> None:
        self._log_from = self.log_text.count("\n")

    async def logged(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until an event was logged ``count`` times; pytest's timeout is the limit."""
        return await self._read_until(lambda: self.events(name), count)

    async def cdrs(self, count: int = 1, **keys: Any) -> list[dict[str, Any]]:
        """Return the records with such values, once there are ``count`` of them or more.

        A thread of the bot writes them: what the log says or a caller hears may come before.
        """
        return await self._read_until(lambda: self._cdrs(keys), count)

    async def _read_until(
        self, read: Callable[[], list[dict[str, Any]]], count: int
    ) -> list[dict[str, Any]]:
        """Read again and again what the bot writes; what it wrote last before its end counts."""
        while True:
            ended = self.process.poll() is not None
            if len(found := read()) >= count:
                return found
            assert not ended, self.log_text
            await asyncio.sleep(0.02)

    async def cdr_of(self, finished: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record of a call whose ``call.finished`` was logged."""
        (record,) = await self.cdrs(call=finished["call"])
        return record

    def _cdrs(self, keys: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what is written by now; a line being written is left out."""
        text = self.cdr_file.read_text() if self.cdr_file.exists() else ""
        records = [json.loads(line) for line in text.split("\n")[:-1]]
        return [cdr for cdr in records if all(cdr[key] == want for key, want in keys.items())]

    async def scrape(self) -> Scrape:
        status, text = await self.get("/metrics")
        assert status == 200
        families = text_string_to_metric_families(text)
        return Scrape(
            tuple((s.name, dict(s.labels), s.value) for family in families for s in family.samples)
        )

    async def get(self, path: str) -> tuple[int, str]:
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.http}{path}", timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    async def counted(self, name: str, more_than: float) -> None:
        """Wait until a counter is above a value; pytest's timeout is the limit."""
        while (await self.scrape()).total(name) <= more_than:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def idle(self) -> Scrape:
        """Wait until no call and no media port is left."""
        while True:
            now = await self.scrape()
            busy = ("telephony_calls_active", "telephony_media_ports_in_use")
            if not any(now.total(name) for name in busy):
                return now
            await asyncio.sleep(0.02)

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def assert_log_clean(self) -> None:
        """Nothing went wrong in the bot itself, whatever the peers did."""
        wrong = [line for line in self.log() if line["level"] in ("error", "critical")]
        assert not wrong, wrong
        assert "Traceback" not in self.log_text

    # Its end.

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def exited(self) -> int:
        """Wait for the process to end and return its status."""
        while (status := self.process.poll()) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return status


@contextmanager
def running_bot(
    directory: Path,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    agents: Mapping[str, Mapping[str, Any]] | None = None,
    trunks: Mapping[str, Mapping[str, Any]] | None = None,
    dialplan: str = DIALPLAN,
    scenario: str = "",
) -> Iterator[Bot]:
    """Run a bot that is ready for calls; ``settings`` are laid over those of a test.

    It listens on free ports of loopback; ``agents`` are added to the rehearsal one, ``trunks`` are
    files by name. ``scenario`` is YAML of the rehearsal model, in place of the default one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _write_files(directory / "trunks", trunks or {})
    with reserved_ports(2 * RTP_PAIRS) as rtp:
        _write_configuration(directory, settings or {}, agents or {}, scenario, rtp)
        (directory / "dialplans" / "main.yaml").write_text(dialplan)
        with _running(directory, environ or {}, rtp) as bot:
            yield bot


@contextmanager
def _running(directory: Path, environ: Mapping[str, str], rtp: range) -> Iterator[Bot]:
    with (directory / "bot.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "telephony.app.cli", "serve", "--config", "telephony.yaml"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=bot_environment(environ),
        )
    bot = Bot(directory, process, rtp)
    try:
        _wait_until_ready(bot)
        yield bot
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def run_command(
    directory: Path,
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    log_name: str = "command",
) -> tuple[int, str]:
    """Run ``telephony`` with arguments to its end; return its status and what it printed.

    ``environ`` are settings, without their ``TELEPHONY_``; ``secrets`` are what files refer to.
    """
    log = directory / f"{log_name}.log"
    command = [sys.executable, "-m", "telephony.app.cli", *arguments]
    with reserved_ports(COMMAND_RTP_PORTS) as rtp:
        settings = {f"TELEPHONY_{name}": value for name, value in (environ or {}).items()}
        settings |= media_ports(rtp) | dict(secrets or {})
        async with peer_process(command, directory, log, bot_environment(settings)) as process:
            status = await process.wait()
    return status, log.read_text(errors="replace")


def media_ports(ports: range) -> dict[str, str]:
    """Return the settings that let a process use these ports for media, and no others."""
    low, high = str(ports[0]), str(ports[-1])
    return {"TELEPHONY_MEDIA_PORT_MIN": low, "TELEPHONY_MEDIA_PORT_MAX": high}


def bot_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TELEPHONY_")}
    for name in ("OPENAI_API_KEY", "FORCE_COLOR"):
        kept.pop(name, None)
    return {**kept, "PYTHONPATH": str(REPOSITORY), "TELEPHONY_LOG_FORMAT": "json", **extra}


def _write_configuration(
    directory: Path,
    settings: Mapping[str, Mapping[str, Any]],
    agents: Mapping[str, Mapping[str, Any]],
    scenario: str,
    rtp: range,
) -> None:
    values: dict[str, dict[str, Any]] = {
        # Port 0 is any free one; the log says which.
        "sip": {"host": "127.0.0.1", "udp_port": 0, "tcp_port": 0},
        "media": {"port_min": rtp[0], "port_max": rtp[-1], "port_quarantine_s": 1},
        "limits": {"max_calls": RTP_PAIRS},
        "http": {"port": 0},
        "cdr": {"file": "cdr.jsonl"},
        "dialplan": {"dir": "dialplans"},
        "agents": {"dir": "agents"},
        "trunks": {"dir": "trunks"},
    }
    if scenario:
        values["rehearsal"] = {"scenario": "scenario.yaml"}
        (directory / "scenario.yaml").write_text(scenario)
    for section, keys in settings.items():
        values.setdefault(section, {}).update(keys)
    (directory / "telephony.yaml").write_text(yaml.safe_dump(values))
    everyone: dict[str, Mapping[str, Any]] = {
        "rehearsal": {"base_url": "rehearsal", "greeting": "Greet.", "tools": ["hangup"]},
        "deaf": {"base_url": "rehearsal"},
        "unreachable": {"base_url": "rehearsal"},
        **agents,
    }
    _write_files(directory / "agents", everyone)
    (directory / "dialplans").mkdir(exist_ok=True)
    announcement = (PROMPTS / "short_answer.wav").read_bytes()
    (directory / "dialplans" / "announcement.wav").write_bytes(announcement)


def _write_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    folder.mkdir(exist_ok=True)
    for name, keys in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **keys}))


def _wait_until_ready(bot: Bot) -> None:
    deadline = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < deadline:
        assert bot.process.poll() is None, bot.log_text
        started = bot.events("server.started")
        if started:
            host, port = started[0]["sip_udp"].rsplit(":", 1)
            bot.sip, bot.http = (host, int(port)), started[0]["http"]
            assert bot._get("/readyz")[0] == 200
            return
        time.sleep(0.02)
    raise AssertionError(f"the bot did not get ready\n{bot.log_text}")
