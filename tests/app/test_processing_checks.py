from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.preflight import load_configuration
from telephony.base.errors import ConfigError

ON = "media: {processing: {echo_cancellation: on, noise_suppression: high}}"


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("config/agents", "config/trunks", "dialplans"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "config/agents/bot.yaml").write_text("base_url: rehearsal\n")
    dialplan = "contexts: {main: [{name: x, do: [connect_model: bot]}]}"
    (tmp_path / "dialplans/main.yaml").write_text(dialplan)
    return tmp_path


def problems(root: Path, settings: str, trunk: str = "") -> list[str]:
    text = f"{settings}\ndialplan: {{dir: ../dialplans}}\n"
    (root / "config/telephony.yaml").write_text(text)
    (root / "config/trunks/carrier.yaml").write_text(f"servers: sip.carrier.example\n{trunk}\n")
    try:
        load_configuration(None, {})
    except ConfigError as error:
        return [str(problem).replace("\n    fix: ", " | ") for problem in error.problems]
    return []


@pytest.fixture(name="missing")
def _missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telephony.app.processing_checks.is_installed", lambda: False)


@pytest.mark.usefixtures("missing")
def test_each_key_that_needs_the_library_is_named(root: Path) -> None:
    echo, noise = problems(root, ON)
    assert echo == (
        "config/telephony.yaml:1:41: media.processing.echo_cancellation: audio processing needs "
        "the module pywebrtc_audio, which is not installed | "
        "pip install 'telephony-voice-bot[apm]', or turn it off"
    )
    assert ": media.processing.noise_suppression: " in noise


@pytest.mark.usefixtures("missing")
def test_a_trunk_is_told_of_its_own_keys_only(root: Path) -> None:
    trunk = "processing: {gain_control: on, noise_suppression: off}"
    (found,) = problems(root, "media: {}", trunk)
    assert found.startswith("config/trunks/carrier.yaml:2:28: processing.gain_control: ")
    assert len(problems(root, ON, trunk)) == 3


@pytest.mark.usefixtures("missing")
def test_nothing_is_needed_for_nothing(root: Path) -> None:
    off = "media: {processing: {echo_cancellation: off}}"
    assert problems(root, off, "processing: {noise_suppression: off}") == []
    assert problems(root, "media: {}") == []


def test_with_the_library_everything_may_be_on(root: Path) -> None:
    pytest.importorskip("pywebrtc_audio")
    assert problems(root, ON, "processing: {gain_control: on}") == []
