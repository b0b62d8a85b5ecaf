"""From pydantic's words to ours."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig, explain


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = 0


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    inner: int | Inner = 0
    items: list[Inner | str] = []


def explained(data: dict[str, object]) -> list[FieldProblem]:
    try:
        Outer.model_validate(data)
    except ValidationError as error:
        return explain(error, data, ["name", "inner", "items", "size"])
    return []


def test_the_path_leaves_out_the_branches_of_a_union() -> None:
    (problem,) = explained({"name": "x", "inner": {"size": "big"}})
    assert problem.path == "inner.size"
    (problem,) = explained({"name": "x", "items": [{"size": 1}, {"size": []}]})
    assert problem.path == "items[1].size"


def test_the_branches_of_one_value_are_one_problem() -> None:
    (problem,) = explained({"name": "x", "inner": "neither"})
    assert problem.path == "inner"
    assert ", or: " in problem.message


def test_a_missing_key_has_a_place_although_it_is_not_there() -> None:
    assert explained({}) == [FieldProblem("name", "is required")]


def test_a_misspelt_key_gets_a_suggestion() -> None:
    (problem,) = explained({"name": "x", "inner": {"sise": 1}})
    assert (problem.path, problem.fix) == ("inner.sise", "did you mean size?")


def test_problems_read_as_lines() -> None:
    error = InvalidSessionConfig(
        [FieldProblem("a.b", "is wrong", "do right"), FieldProblem("", "x")]
    )
    assert str(error) == "a.b: is wrong (do right)\nx"
