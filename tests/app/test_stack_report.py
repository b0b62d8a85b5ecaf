from __future__ import annotations

import subprocess
from typing import Any

import pytest

from telephony.app import stack_report
from telephony.app.settings import Settings
from telephony.app.stack_report import StackState, advice, probe_pjsip, stack_states
from tests.support.conformance import require


def settings(**sip: Any) -> Settings:
    return Settings.model_validate({"sip": sip})


def state(name: Any, **fields: Any) -> StackState:
    return StackState(name, **{"installed": True, "max_calls": 300, **fields})


def test_the_native_stack_is_always_there() -> None:
    native = stack_states(settings())[0]
    assert (native.name, native.usable, native.max_calls) == ("native", True, 300)


def test_pjsip_tells_how_many_calls_it_was_built_for() -> None:
    require("pjsip")
    found = probe_pjsip()
    assert found["max_calls"] >= 1
    assert found["version"].startswith("2.")


def test_a_library_that_ends_its_process_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_report, "_PROBE", "import os; os.abort()")
    assert probe_pjsip() == {"problem": "its library ends the process with status -6"}
    monkeypatch.setattr(stack_report, "_PROBE", "import no_such_module")
    assert "no_such_module" in probe_pjsip()["problem"]


def test_a_library_that_hangs_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*args: Any, **options: Any) -> None:
        raise subprocess.TimeoutExpired("python", 1)

    monkeypatch.setattr(subprocess, "run", hang)
    assert "hangs" in probe_pjsip()["problem"]


def test_native_is_the_advice_unless_the_settings_choose() -> None:
    states = [state("native"), state("pjsip", max_calls=4), state("pyvoip", installed=False)]
    assert advice(states, settings()).startswith("Use native")
    assert "here pjsip 4" in advice(states, settings())
    assert "would take 75 processes" in advice(states, settings(stack="pjsip"))


def test_a_chosen_stack_that_is_missing_is_a_fault() -> None:
    missing = state("pyvoip", installed=False, problem="not installed", fix="pip install it")
    said = advice([state("native"), missing], settings(stack="pyvoip"))
    assert "can't be used: not installed" in said
    assert "pip install it" in said


def test_what_a_chosen_stack_lacks_most_is_said() -> None:
    said = advice([state("native"), state("pyvoip")], settings(stack="pyvoip"))
    assert "Native can do more" in said
