from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.agents import LoadedAgent, load_agent
from telephony.app.settings import Settings
from telephony.audio.wav import write_wav
from telephony.calls.destination import Destination

HEAD = "base_url: rehearsal\ntransfers:\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sounds").mkdir()
    Path("sounds/hi.wav").write_bytes(write_wav(b"\0\0" * 80, 8000))
    Path("sounds/noise.wav").write_bytes(b"noise")


def load(text: str, trunks: list[str] | None = None) -> LoadedAgent:
    Path("bot.yaml").write_text(HEAD + text, encoding="utf-8")
    settings = Settings.model_validate({"dialplan": {"sounds_dir": "sounds"}})
    return load_agent(Path("bot.yaml"), settings, {}, trunks)


def test_destinations_have_names() -> None:
    loaded = load(
        '  sales: {to: "+1 (555) 0100"}\n'
        "  desk: {to: sip:desk@pbx.example, mode: attended, timeout_s: 20, trunks: carrier,\n"
        "    description: The front desk., play: hi.wav}\n",
        ["carrier"],
    )
    assert loaded.problems == ()
    assert loaded.agent is not None
    assert loaded.agent.transfers == {
        "sales": Destination("+15550100"),
        "desk": Destination(
            "sip:desk@pbx.example",
            "attended",
            20.0,
            ("carrier",),
            str(Path("sounds/hi.wav")),
            "The front desk.",
        ),
    }


def test_unchecked_trunks() -> None:
    assert load('  a: {to: "100", trunks: [x, y]}\n').problems == ()


@pytest.mark.parametrize(
    ("line", "trunks", "expected"),
    [
        (
            "  a: {to: desk}",
            None,
            "bot.yaml:3:11: transfers.a.to: 'desk' is nothing to call "
            '| write "+15550100" or sip:user@host',
        ),
        (
            "  a: {to: 100}",
            None,
            "bot.yaml:3:11: transfers.a.to: YAML read this number as the integer 100 "
            '| put it in quotes: "100"',
        ),
        (
            '  a: {to: "1", mod: blind}',
            None,
            "bot.yaml:3:16: transfers.a.mod: unknown key 'mod' | did you mean mode?",
        ),
        (
            '  a: {to: "1", trunks: [carrier, carier]}',
            ["carrier"],
            "bot.yaml:3:34: transfers.a.trunks[1]: there is no trunk 'carier' "
            "| did you mean carrier?",
        ),
        (
            '  a: {to: "1", trunks: x}',
            [],
            "bot.yaml:3:24: transfers.a.trunks: no trunks are configured "
            "| write config/trunks/<name>.yaml",
        ),
        (
            '  a: {to: "1", play: no.wav}',
            None,
            "bot.yaml:3:22: transfers.a.play: sounds/no.wav cannot be read: no such file or "
            "directory | write a path relative to dialplan.sounds_dir",
        ),
    ],
)
def test_mistakes_have_their_places(line: str, trunks: list[str] | None, expected: str) -> None:
    (problem,) = load(line + "\n", trunks).problems
    assert str(problem).replace("\n    fix: ", " | ") == expected


def test_a_sound_that_is_none() -> None:
    (problem,) = load('  a: {to: "1", play: noise.wav}\n').problems
    assert "sounds/noise.wav can't be played" in problem.message


def test_hold_music_of_a_destination_and_of_all() -> None:
    loaded = load(
        '  a: {to: "100", hold_music: hi.wav}\n  b: {to: "200"}\nhold_music: tone:ringback/de\n'
    )
    assert loaded.problems == ()
    assert loaded.agent is not None
    music = {name: d.hold_music for name, d in loaded.agent.transfers.items()}
    assert music == {"a": str(Path("sounds/hi.wav")), "b": "tone:ringback/de"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "  a: {to: '100', hold_music: gone.wav}\n",
            "bot.yaml:3:30: transfers.a.hold_music: sounds/gone.wav cannot be read",
        ),
        (
            "  a: {to: '100', hold_music: noise.wav}\n",
            "transfers.a.hold_music: sounds/noise.wav can't be played",
        ),
        (
            "  a: {to: '100'}\nhold_music: tone:bussy\n",
            "bot.yaml:4:13: hold_music: there is no tone 'bussy'",
        ),
    ],
)
def test_music_that_cannot_be_played(line: str, expected: str) -> None:

    (problem,) = load(line).problems
    assert expected in str(problem)
