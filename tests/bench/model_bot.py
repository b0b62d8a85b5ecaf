"""A bot for a bench of models: the real ``telephony serve`` with one agent, on one core."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench.capacity import Bot, write_config
from tests.bench.model_backends import SDK_AGENT, SDK_MODULE

PORT_STEP = 4
"""SIP takes the first of these ports and HTTP the second."""

CDR = "cdr.jsonl"


@contextmanager
def running(
    folder: Path, port: int, core: int, agent: str, files: Mapping[str, bytes] | None = None
) -> Iterator[tuple[Bot, Path]]:
    """Run a bot until the block ends; gives its directory too, where its CDRs are then.

    ``files`` are put beside the dialplan before it starts.
    """
    own = folder / f"bot-{port}"
    own.mkdir()
    (own / f"{SDK_MODULE}.py").write_text(SDK_AGENT)
    config = write_config(own, 0, port, port + 1, agent=agent, settings=f"cdr: {{file: {CDR}}}\n")
    for name, content in (files or {}).items():
        (own / "dialplans" / name).write_bytes(content)
    command = [sys.executable, "-m", "telephony.app.cli", "serve", "--config", str(config)]
    bot = Bot(command, core, own)
    try:
        yield bot, own
    finally:
        bot.stop()
