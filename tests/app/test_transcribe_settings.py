from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.settings_sources import LoadedSettings, load_settings
from telephony.app.transcribe_settings import agent_server, check_transcribe, to_file_transcriber

KEYS = {"OPENAI_API_KEY": "usual", "OWN": "own"}


def loaded(tmp_path: Path, transcribe: str, recording_dir: str = "recordings") -> LoadedSettings:
    file = tmp_path / "telephony.yaml"
    media = (
        f"media:\n  recording_dir: {recording_dir}\n  recording:\n    transcribe: {transcribe}\n"
    )
    file.write_text(media)
    return load_settings(file, {})


def told(tmp_path: Path, transcribe: str, environ: dict[str, str], **more: str) -> list[str]:
    found = loaded(tmp_path, transcribe, **more)
    assert not found.problems
    return [str(problem) for problem in check_transcribe(found, environ)]


def test_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert told(tmp_path, "null", {}) == []
    config = to_file_transcriber(loaded(tmp_path, "null").settings, KEYS)
    assert (config.api_key, config.used_model, config.via) == (
        "usual",
        "gpt-transcribe",
        "transcriptions",
    )


def test_a_server_of_ones_own(tmp_path: Path) -> None:
    text = "{via: chat, base_url: 'http://127.0.0.1:8000/v1', language: de}"
    assert told(tmp_path, text, {}) == []
    config = to_file_transcriber(loaded(tmp_path, text).settings, KEYS)
    assert (config.api_key, config.used_model, config.language) == ("", "gpt-audio-1.5", "de")
    text = "{api_key: '${OWN}', model: m}"
    config = to_file_transcriber(loaded(tmp_path, text).settings, KEYS)
    assert (config.api_key, config.used_model) == ("own", "m")


@pytest.mark.parametrize(
    ("text", "environ", "problem"),
    [
        ("{}", {}, "the environment variable OPENAI_API_KEY is not set"),
        ("{api_key: '${OWN}'}", {}, "the environment variable OWN is not set"),
        ("{base_url: nonsense}", KEYS, "this is no URL of a server"),
        ("{base_url: 'http://a.test', api_key: '${OWN}'}", KEYS, "unencrypted"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, environ: dict[str, str], problem: str) -> None:
    (found,) = told(tmp_path, text, environ)
    assert problem in found
    assert "telephony.yaml:" in found


def test_nothing_to_transcribe(tmp_path: Path) -> None:
    (found,) = told(tmp_path, "{}", KEYS, recording_dir="null")
    assert "nothing is recorded" in found


def test_a_key_in_the_file_is_refused(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{api_key: sk-123}")
    assert "must not be written into a file" in str(found.problems[0])
    assert "sk-123" not in str(found.problems[0])


def test_there_is_no_such_agent() -> None:
    with pytest.raises(ValueError, match="there is no agent 'x'"):
        agent_server([], "x")
