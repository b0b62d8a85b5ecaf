"""A call over SIP, its recording, and what was said in it, written down after the call."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from telephony.rehearsal.phone import telephone
from telephony.rehearsal.speech.speech_server import serve_speech
from tests.app.test_server import get, uri
from tests.support.eventually import eventually
from tests.support.server import running_server, settings
from tests.support.speech import PROMPTS

KEY = bytes(range(32))


@pytest.mark.parametrize("sealed", [False, True])
async def test_what_was_said_lies_beside_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sealed: bool
) -> None:
    monkeypatch.setenv("REC_KEY", KEY.hex())
    folder = tmp_path / "recordings"
    async with serve_speech() as speech:
        recording: dict[str, Any] = {
            "key": "${REC_KEY}" if sealed else None,
            "transcribe": {"base_url": speech.openai_url, "summary": True},
        }
        media: dict[str, Any] = {"recording_dir": str(folder), "recording": recording}
        file = tmp_path / "telephony.yaml"
        file.write_text(json.dumps({"media": media}))
        async with running_server(settings(media=media), config_file=file) as server:
            async with telephone("127.0.0.1") as caller:
                await caller.dial(uri(server), "sip:+15550199@127.0.0.1")
                assert await caller.wait_until_bot_speaks(60)
                assert await caller.wait_until_bot_silent(0.5, 60)
            await eventually(lambda: server.reception.active_calls == 0)
            await eventually(lambda: len(os.listdir(folder)) == 3)
            totals = server._transcripts.totals  # type: ignore[union-attr]
            await eventually(lambda: totals.files == 1)
            _, metrics = await get(server, "/metrics")
    assert "telephony_transcript_files_total 1.0" in metrics
    suffix = ".sealed" if sealed else ""
    names = sorted(name.split(".", 1)[1] for name in os.listdir(folder))
    assert names == sorted(f"{kind}{suffix}" for kind in ("json", "txt", "wav"))
    if sealed:
        return
    (name,) = (name for name in os.listdir(folder) if name.endswith(".json"))
    told = json.loads((folder / name).read_text("utf-8"))
    assert [(part["speaker"], part["text"]) for part in told["parts"]] == [
        ("bot", PROMPTS["greeting"].text)
    ]
    assert told["summary"].startswith("Summary")
