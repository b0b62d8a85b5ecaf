from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.tool_functions import load_tool

MODULE = '''
"""Tools."""
from __future__ import annotations

def opening_hours(day: str) -> str:
    """Say when we are open.

    Args:
        day: day of the week
    """
    return f"9 to 5 on {day}"

async def look_up(number: int) -> int:
    """Look up."""
    return number

def broken(what) -> str:
    """No type."""
    return ""

not_callable = 5
'''


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_phone_tools.py").write_text(MODULE)
    (tmp_path / "my_broken_tools.py").write_text("1 / 0\n")
    (tmp_path / "my_exiting_tools.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_a_function_becomes_a_tool() -> None:
    tool = load_tool("my_phone_tools:opening_hours", 3.0)
    assert (tool.name, tool.timeout_s, tool.is_async) == ("opening_hours", 3.0, False)
    assert tool.description == "Say when we are open."
    assert list(tool.parameters["properties"]) == ["day"]
    assert load_tool("my_phone_tools:look_up", 3.0).is_async


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "opening_hours",
            "names no function\nfix: write package.module:function, or hangup, send_digits, "
            "pause_recording, resume_recording",
        ),
        ("hangpu", "names no function\nfix: did you mean hangup?"),
        ("os:nothing", "os has no function 'nothing'\nfix: "),
        ("my_phone_tools:", "names no function"),
        (":f", "names no function"),
        ("no_such_package.x:f", "cannot import no_such_package.x: No module named"),
        ("my_broken_tools:f", "importing my_broken_tools raised ZeroDivisionError"),
        ("my_exiting_tools:f", "importing my_exiting_tools raised SystemExit: 3"),
        (
            "my_phone_tools:opening_hour",
            "has no function 'opening_hour'\nfix: did you mean opening_hours",
        ),
        ("my_phone_tools:not_callable", "has no function 'not_callable'"),
        ("my_phone_tools:broken", "tool broken"),
    ],
)
def test_what_cannot_be_a_tool_is_explained(name: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        load_tool(name, 3.0)
    assert message in str(caught.value)
