from __future__ import annotations

import pytest
import yaml

from telephony.rehearsal.prompt_library import PROMPT_FOLDER, shipped_prompts, words

PROMPTS = shipped_prompts()


def test_every_prompt_is_shipped_and_small():
    listed = yaml.safe_load((PROMPT_FOLDER / "prompts.yaml").read_text())["prompts"]
    for entry in listed:
        folder = PROMPT_FOLDER
        if entry["speaker"] == "bot":
            folder = PROMPT_FOLDER.parent.parent / "calls" / "prompts"
        assert 4000 < (folder / f"{entry['name']}.wav").stat().st_size < 200_000


def test_no_wav_is_unlisted():
    listed = yaml.safe_load((PROMPT_FOLDER / "prompts.yaml").read_text())["prompts"]
    names = {entry["name"] for entry in listed if entry["speaker"] != "bot"}
    assert {path.stem for path in PROMPT_FOLDER.glob("*.wav")} == names


def test_rates_and_durations():
    assert {p.sample_rate_hz for p in PROMPTS.spoken_by("model")} == {24000}
    assert {p.sample_rate_hz for p in PROMPTS.spoken_by("caller")} == {8000}
    assert PROMPTS["greeting"].duration_ms == pytest.approx(2960, abs=100)


def test_names_and_texts():
    assert PROMPTS.name_of("greeting") == "greeting"
    assert PROMPTS.name_of("ONE MOMENT please") == "filler"
    assert PROMPTS.name_of("something else") is None
    assert "greeting" in PROMPTS
    assert "nothing" not in PROMPTS


def test_words():
    assert words("Wait, stop.  I'm HERE!") == "wait stop i'm here"
