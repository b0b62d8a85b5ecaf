from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from telephony.app.files import display_name, list_yaml, load_each, read_file, why_not_writable
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


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml", "c.yml"):
        (tmp_path / name).write_text("")

    def load(path: Path) -> SimpleNamespace:
        return SimpleNamespace(name="same" if path.stem < "c" else "other", file=path.name)

    loaded, problems = load_each(tmp_path, "agents.dir", "agent", load)
    assert [one.file for one in loaded] == ["a.yaml", "c.yml"]
    (problem,) = problems
    assert (problem.file, problem.key) == ("b.yaml", "name")
    assert problem.message == "agent 'same' is defined already in a.yaml"


def test_a_directory_that_can_not_be_listed_is_the_problem(tmp_path: Path) -> None:
    loaded, problems = load_each(tmp_path / "none", "trunks.dir", "trunk", SimpleNamespace)
    assert loaded == []
    assert [problem.key for problem in problems] == ["trunks.dir"]
