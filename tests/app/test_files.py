from __future__ import annotations

import os
from pathlib import Path

import pytest

from telephony.app.files import display_name, list_yaml, read_file, why_not_writable
from telephony.base.errors import Problem


def test_read_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff")
    assert read_file(tmp_path / "a") == b"\xff"
    for path, reason in ((tmp_path / "b", "no such file"), (tmp_path, "is a directory")):
        problem = read_file(path)
        assert isinstance(problem, Problem)
        assert reason in problem.message


def test_list_yaml_is_ordered_and_skips_what_is_hidden_or_no_yaml(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.txt", ".d.yaml", "e.yaml~"):
        (tmp_path / name).touch()
    assert list_yaml(tmp_path, "a.dir") == [tmp_path / "a.yml", tmp_path / "b.yaml"]
    problem = list_yaml(tmp_path / "none", "a.dir")
    assert isinstance(problem, Problem)
    assert (problem.key, problem.fix) == (
        "a.dir",
        "make the directory, or let a.dir name another",
    )
    assert isinstance(list_yaml(tmp_path / "c.txt", "a.dir"), Problem)


def test_display_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert display_name(tmp_path / "a" / "b.yaml") == "a/b.yaml"
    assert display_name(Path("b.yaml")) == "b.yaml"
    assert display_name(Path("/etc/b.yaml")) == "/etc/b.yaml"


def test_a_directory_that_is_missing_is_as_writable_as_the_one_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert why_not_writable(tmp_path / "a" / "b") == ""
    (tmp_path / "file").touch()
    assert why_not_writable(tmp_path / "file" / "b").endswith("file is not a directory")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "may not be written to" in why_not_writable(tmp_path / "a" / "b")
