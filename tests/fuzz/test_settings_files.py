"""A settings or agent file is read or explained, whatever is in it; nothing raises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telephony.app.agents import AgentFile, load_agent
from telephony.app.settings import Settings
from telephony.app.settings_sources import load_settings, setting_fields, variable_name

ROOT = Path(__file__).parents[2] / "config"
DEFAULTS = Settings()

sections = sorted(Settings.model_fields)
names = sorted({step for key, _ in setting_fields() for step in key} | set(AgentFile.model_fields))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=True)
    | st.text(max_size=6)
    | st.sampled_from(["rehearsal", "${X}", "hangup", "0.0.0.0", "wss://", "a:b", "server_vad"])
)
data = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner, max_size=4)
    ),
    max_leaves=12,
)
within_limits = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@given(data | st.dictionaries(st.sampled_from(sections), data, max_size=4))
@within_limits
def test_any_settings(tmp_path: Path, value: Any) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    loaded = load_settings(file, {})
    assert all(problem.message for problem in loaded.problems)
    Settings.model_validate(loaded.settings.model_dump())


@given(st.dictionaries(st.sampled_from([variable_name(k) for k, _ in setting_fields()]), st.text()))
@within_limits
def test_any_environment(tmp_path: Path, environ: dict[str, str]) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("")
    loaded = load_settings(file, environ)
    for problem in loaded.problems:
        assert problem.message
    Settings.model_validate(loaded.settings.model_dump())


@given(st.dictionaries(st.sampled_from(sorted(AgentFile.model_fields)), data, max_size=6))
@within_limits
def test_any_agent(tmp_path: Path, value: Any) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    loaded = load_agent(file, DEFAULTS, {"X": "secret"})
    assert (loaded.agent is None) == bool(loaded.problems)


def test_every_line_left_out_or_cut(tmp_path: Path) -> None:
    for name in ("telephony.yaml", "agents/openai.yaml", "agents/examples/gemini.yaml"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines(keepends=True)
        for number, line in enumerate(lines):
            for rest in ("", line[: len(line) // 2], line.replace(":", "", 1), line.lstrip()):
                text = "".join([*lines[:number], rest, *lines[number + 1 :]])
                (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
                if name == "telephony.yaml":
                    load_settings(tmp_path / "x.yaml", {})
                else:
                    load_agent(tmp_path / "x.yaml", DEFAULTS, {})
