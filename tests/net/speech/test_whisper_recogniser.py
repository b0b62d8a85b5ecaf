"""Our program around faster-whisper, with a model that stands in for the package; the package
itself runs in ``scripts/bench speech``."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.base.interfaces import ModelUnavailable
from telephony.net.speech import services, whisper_recogniser
from telephony.net.speech.whisper_recogniser import FasterWhisperConfig
from tests.support.eventually import eventually
from tests.support.speech import Heard, say

PCMU = ("pcmu", 8000)

PACKAGE = """
import os


class Segment:
    def __init__(self, text):
        self.text = text


class WhisperModel:
    def __init__(self, path, *, device, compute_type, cpu_threads, local_files_only):
        assert local_files_only and os.environ["HF_HUB_OFFLINE"] == "1"
        if not os.path.exists(path + "/model.bin"):
            raise RuntimeError("no model in " + path)

    def transcribe(self, samples, *, language, **options):
        assert samples.dtype == "float32" and abs(samples).max() <= 1
        if language == "xx":
            raise ValueError("what is\\nxx?")
        seconds = round(len(samples) / 16000, 1)
        return iter([Segment(" heard "), Segment(f"{seconds} s")]), None
"""


@pytest.fixture(name="config")
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FasterWhisperConfig:
    package = tmp_path / "packages"
    package.mkdir()
    (package / "faster_whisper.py").write_text(PACKAGE)
    monkeypatch.setenv("PYTHONPATH", str(package))
    monkeypatch.syspath_prepend(str(package))
    model = tmp_path / "model"
    model.mkdir()
    for name in whisper_recogniser.MODEL_FILES:
        (model / name).touch()
    return FasterWhisperConfig.model_validate({"model": str(model), "keep_s": 0})


async def test_turns_become_text(config: FasterWhisperConfig) -> None:
    assert whisper_recogniser.lacks(config) is None
    heard = Heard()
    session = await services.faster_whisper_transcriber(config).open(PCMU, heard)
    for count in (1, 2):
        await say(session, "caller_yes", PCMU)
        session.finish_turn()
        await eventually(lambda count=count: heard.flushed == count)
    await session.close()
    assert len(heard.finals) == 2
    assert heard.finals[0].startswith("heard ")
    assert heard.finals[0].endswith(" s")


async def test_what_it_cannot_transcribe(config: FasterWhisperConfig) -> None:
    heard = Heard()
    odd = config.model_copy(update={"language": "xx"})
    session = await services.faster_whisper_transcriber(odd).open(PCMU, heard)
    for count in (1, 2):
        await say(session, "caller_yes", PCMU)
        session.finish_turn()
        await eventually(lambda count=count: heard.flushed == count)
    await session.close()
    assert [f.message for f in heard.failures] == ["ValueError: what is xx?"] * 2
    assert not any(f.fatal for f in heard.failures)


async def test_a_model_that_cannot_be_loaded(config: FasterWhisperConfig, tmp_path: Path) -> None:
    empty = config.model_copy(update={"model": str(tmp_path)})
    with pytest.raises(ModelUnavailable, match="faster-whisper ended with 1"):
        await services.faster_whisper_transcriber(empty).open(PCMU, Heard())


def test_what_is_missing(
    config: FasterWhisperConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = whisper_recogniser.lacks(config.model_copy(update={"model": str(tmp_path)}))
    assert told is not None
    assert "holds no model.bin" in told[0]
    told = whisper_recogniser.lacks(config.model_copy(update={"python": "/no/python"}))
    assert told is not None
    assert "/no/python" in told[0]
    monkeypatch.setattr(whisper_recogniser.importlib.util, "find_spec", lambda _: None)
    told = whisper_recogniser.lacks(config)
    assert told == (
        "faster-whisper is not installed",
        "pip install 'telephony-voice-bot[offline]'",
    )
