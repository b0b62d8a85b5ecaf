"""What must hold of every setting, wherever it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telephony.app.settings import Settings
from telephony.app.settings_sources import load_settings, setting_fields, variable_name

WRITTEN = {
    ("sip", "udp_port"): st.none() | st.integers(0, 65535),
    ("sip", "user_agent"): st.from_regex(r"[a-zA-Z0-9:+-]{1,12}", fullmatch=True),
    ("sip", "symmetric_signalling"): st.booleans(),
    ("media", "codecs"): st.sampled_from([["pcmu"], ["pcma"], ["pcma", "pcmu"]]),
    ("media", "host"): st.none() | st.ip_addresses(v=4).map(str),
    ("vad", "min_level_dbfs"): st.floats(-96, 0).map(lambda value: round(value, 3)),
    ("limits", "max_call_s"): st.floats(0.5, 1e6).map(lambda value: round(value, 3)),
    ("http", "port"): st.none() | st.integers(0, 65535),
    ("log", "level"): st.sampled_from(["debug", "info", "warning", "error"]),
}
assert set(WRITTEN) <= {key for key, _ in setting_fields()}


def as_variable(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value) or "[]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


@given(st.fixed_dictionaries({}, optional=WRITTEN))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_file_and_the_environment_say_the_same(
    tmp_path: Path, values: dict[tuple[str, str], Any]
) -> None:
    file = tmp_path / "t.yaml"
    data: dict[str, dict[str, Any]] = {}
    for (section, key), value in values.items():
        data.setdefault(section, {})[key] = value
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    from_file = load_settings(file, {})
    file.write_text("")
    environ = {
        variable_name(key): as_variable(value)
        for key, value in values.items()
        if not isinstance(value, float) or "e" not in str(value)
    }
    from_environment = load_settings(file, environ)
    assert from_file.problems == from_environment.problems == ()
    assert from_file.settings == from_environment.settings
    for (section, key), value in values.items():
        assert getattr(getattr(from_file.settings, section), key) == value


@pytest.mark.parametrize("key", [key for key, _ in setting_fields()], ids=".".join)
def test_no_key_takes_nonsense(tmp_path: Path, key: tuple[str, ...]) -> None:
    nonsense: Any = {"no": ["such", "thing"]}
    for step in reversed(key):
        nonsense = {step: nonsense}
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(nonsense), encoding="utf-8")
    loaded = load_settings(tmp_path / "t.yaml", {})
    assert {problem.key for problem in loaded.problems} == {".".join(key)}
    unharmed = load_settings(tmp_path / "t.yaml", {variable_name(key): as_variable(_default(key))})
    assert unharmed.problems == ()


def _default(key: tuple[str, ...]) -> Any:
    value: Any = Settings()
    for step in key:
        value = getattr(value, step)
    return value
