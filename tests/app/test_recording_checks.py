from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import pytest

from telephony.app.preflight import load_configuration
from telephony.app.recording_checks import key_of, recording_rules, required_key
from telephony.app.settings import Settings
from telephony.audio.wav import write_wav
from telephony.base.errors import ConfigError
from telephony.calls.call_recording import RecordingRules

KEY = bytes(range(32))


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("config", "agents", "dialplans"):
        (tmp_path / name).mkdir()
    (tmp_path / "agents" / "rehearsal.yaml").write_text("base_url: rehearsal\n")
    (tmp_path / "dialplans" / "say.wav").write_bytes(write_wav(bytes(160), 8000))
    return tmp_path


def problems(root: Path, recording: str, actions: str = "answer", **environ: str) -> list[str]:
    """Return the mistakes of a configuration with this media section and these actions."""
    (root / "config" / "telephony.yaml").write_text(
        f"agents: {{dir: ../agents}}\ndialplan: {{dir: ../dialplans}}\nmedia:\n{recording}\n"
    )
    (root / "dialplans" / "main.yaml").write_text(
        f"contexts:\n  main:\n    - name: a\n      do: [{actions}]\n"
    )
    try:
        load_configuration(None, environ)
    except ConfigError as error:
        return [str(problem).replace("\n    fix: ", " | ") for problem in error.problems]
    return []


def test_recordings_that_can_be_made(root: Path) -> None:
    text = (
        "  recording_dir: ../rec\n"
        "  recording: {calls: dialplan, format: opus, announcement: say.wav, keep_days: 0.5,\n"
        "              key: '${REC_KEY}'}"
    )
    actions = "record: {format: flac, announcement: tone:beep}"
    assert problems(root, text, actions, REC_KEY=KEY.hex()) == []


@pytest.mark.parametrize(
    ("recording", "actions", "expected"),
    [
        (
            "  ptime_ms: 20",
            "record",
            "dialplans/main.yaml:4:12: contexts.main[0].do[0]: there is no directory to record to"
            " | name it in media.recording_dir",
        ),
        (
            "  recording_dir: ../rec\n  recording: {announcement: sai.wav}",
            "answer",
            "config/telephony.yaml:5:29: media.recording.announcement: dialplans/sai.wav cannot be"
            " read: no such file or directory | write a path relative to dialplan.sounds_dir",
        ),
        (
            "  recording_dir: ../rec\n  recording: {announcement: tone:bip}",
            "answer",
            "config/telephony.yaml:5:29: media.recording.announcement: there is no tone 'bip'",
        ),
        (
            "  recording_dir: ../rec\n  recording: {key: '${REC_KEY}'}",
            "answer",
            "config/telephony.yaml:5:20: media.recording.key: the environment variable REC_KEY is"
            " not set | openssl rand -base64 32 makes a key",
        ),
        (
            "  recording_dir: ../rec\n  recording: {key: AAAA}",
            "answer",
            "config/telephony.yaml:5:20: media.recording.key: a secret must not be written into a"
            " file | set an environment variable and write ${ITS_NAME}",
        ),
        (
            "  recording_dir: ../rec",
            "record: {announcement: sai.wav}",
            "dialplans/main.yaml:4:35: contexts.main[0].do[0].record.announcement: "
            "dialplans/sai.wav cannot be read",
        ),
        ("  recording: {keep_days: 0}", "answer", "greater than 0"),
        ("  recording: {format: mp3}", "answer", "'wav', 'flac' or 'opus'"),
        ("  recording: {calls: some}", "answer", "'all' or 'dialplan'"),
    ],
)
def test_mistakes_have_their_place_and_remedy(
    root: Path, recording: str, actions: str, expected: str
) -> None:
    (problem,) = problems(root, recording, actions)
    assert expected in problem
    assert "AAAA" not in problem


def test_formats_that_lack_their_package_are_found(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("av", "soundfile"):
        monkeypatch.setitem(sys.modules, package, None)
    text = "  recording_dir: ../rec\n  recording: {format: flac}"
    setting, action = problems(root, text, "record: {format: opus}")
    assert "media.recording.format: flac needs the package soundfile" in setting
    assert "main.yaml:4:" in action
    assert "opus needs the package av" in action
    assert "pip install 'telephony-voice-bot[recording]', or use wav" in action
    assert problems(root, "  recording: {format: flac}") == []


@pytest.mark.parametrize("text", [KEY.hex(), base64.b64encode(KEY).decode()])
def test_a_key_in_either_spelling(text: str) -> None:
    assert key_of("K", {"K": f" {text}\n"}) == KEY


@pytest.mark.parametrize("text", ["", "secret", "00" * 31, "zz" * 32, "A" * 44])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        key_of("K", {"K": text})
    assert "K" in str(caught.value)
    assert not text or text not in str(caught.value)


def test_without_its_key_nothing_is_recorded_in_clear() -> None:
    settings = Settings.model_validate({"media": {"recording": {"key": "${K}"}}})
    assert required_key(settings, {"K": KEY.hex()}) == KEY
    with pytest.raises(ConfigError, match=r"media\.recording\.key"):
        required_key(settings, {})
    assert required_key(Settings(), dict(os.environ)) is None


def test_the_rules_name_the_announcements_file() -> None:
    assert recording_rules(Settings()) == RecordingRules("all", None)
    settings = Settings.model_validate(
        {
            "dialplan": {"sounds_dir": "sounds"},
            "media": {"recording": {"calls": "dialplan", "announcement": "say.wav"}},
        }
    )
    assert recording_rules(settings) == RecordingRules("dialplan", "sounds/say.wav")
