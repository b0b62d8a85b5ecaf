from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from telephony.base.located_yaml import read_yaml
from telephony.base.schema_problems import (
    did_you_mean,
    known_keys,
    schema_problems,
    without_wrong,
)


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    port: Annotated[int, Field(ge=1)] = 5060
    name: str = ""
    names: Annotated[list[str], BeforeValidator(lambda v: v if isinstance(v, list) else [v])] = (
        Field(default_factory=list)
    )

    @field_validator("name")
    @classmethod
    def _no_spaces(cls, value: str) -> str:
        if " " in value:
            raise ValueError("a name has no spaces\nfix: write a_b")
        return value


class Switch(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    mode: Literal["both", "off", "on"] = "both"


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    inner: Inner | None = None
    items: list[Inner] = Field(default_factory=list)
    by_name: dict[str, Inner] = Field(default_factory=dict)
    needed: int


def problems(text: str) -> list[str]:
    document = read_yaml(text, "f")
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(document.data)
    found = schema_problems(caught.value, document, Outer)
    return [str(problem).replace("\n    fix: ", " | ") for problem in found]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "needed: 1\ninner:\n  prot: 3\n",
            "f:3:3: inner.prot: unknown key 'prot' | did you mean port?",
        ),
        (
            "needed: 1\nitems:\n  - zzz: 3\n",
            "f:3:5: items[0].zzz: unknown key 'zzz' | known here: name, names, port",
        ),
        (
            "needed: 1\nby_name:\n  x: {nmae: y}\n",
            "f:3:7: by_name.x.nmae: unknown key 'nmae' | did you mean name?",
        ),
        ("inner: {}\n", "f:1:1: the key 'needed' is missing | add it"),
        (
            "needed: 1\ninner: {name: 15550100}\n",
            "f:2:15: inner.name: YAML read this number as the integer 15550100"
            ' | put it in quotes: "15550100"',
        ),
        (
            "needed: 1\ninner: {name: no}\n",
            "f:2:15: inner.name: YAML reads the word no as the boolean false"
            ' | put it in quotes: "no"',
        ),
        (
            "needed: 1\ninner:\n  name:\n",
            "f:3:8: inner.name: nothing was written here | write a value, or remove the key",
        ),
        (
            "needed: 1\ninner: {names: 5}\n",
            'f:2:16: inner.names: YAML read this number as the integer 5 | put it in quotes: "5"',
        ),
        (
            "needed: 1\ninner: {name: [x]}\n",
            "f:2:15: inner.name: text is expected here",
        ),
        (
            "needed: 1\ninner: {port: high}\n",
            "f:2:15: inner.port: this should be a valid integer, not the text 'high'",
        ),
        (
            'needed: 1\ninner: {port: "5060"}\n',
            "f:2:15: inner.port: this should be a valid integer, not the text '5060'"
            " | write it without the quotes",
        ),
        (
            "needed: 1\ninner: {port: 0}\n",
            "f:2:15: inner.port: this should be greater than or equal to 1",
        ),
        ("needed: 1\ninner: {name: a b}\n", "f:2:15: inner.name: a name has no spaces | write a_b"),
        (
            "needed: 1\nitems: x\n",
            "f:2:8: items: a list is expected here | write one item per line, each after '- '",
        ),
        ("needed: 1\ninner: 5\n", "f:2:8: inner: keys with values are expected here"),
    ],
)
def test_every_kind_of_mistake(text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_what_reading_already_reported_is_not_reported_again() -> None:
    assert problems("needed: 1\ninner: {port: 0x10, name: 7}\n") == [
        'f:2:27: inner.name: YAML read this number as the integer 7 | put it in quotes: "7"'
    ]


def test_a_prefix_places_a_part_of_a_document() -> None:
    document = read_yaml("- a\n- {prot: 1}\n", "f")
    with pytest.raises(ValidationError) as caught:
        Inner.model_validate(document.data[1])
    (problem,) = schema_problems(caught.value, document, Inner, (1,))
    assert (problem.line, problem.key) == (2, "[1].prot")


def test_known_keys_of_places_where_anything_may_stand() -> None:
    assert known_keys(Outer, ("by_name",)) == []
    assert known_keys(Outer, ("needed", "x")) == []
    assert known_keys(Outer, ("items", 3)) == ["port", "name", "names"]


def test_did_you_mean() -> None:
    assert did_you_mean("rehersal", ["rehearsal", "openai"]) == "did you mean rehearsal?"
    assert did_you_mean("x", ["b", "a"]) == "known here: a, b"
    assert did_you_mean("x", []) == ""


def test_a_list_that_nobody_reads_is_left_out() -> None:
    assert did_you_mean("zzz", ["a", "b"]) == "known here: a, b"
    assert did_you_mean("zzz", [f"name_{n}" for n in range(51)]) == ""
    assert did_you_mean("name", [f"name_{n}" for n in range(51)]).startswith("did you mean name_")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("off", 'YAML reads the word off as the boolean false | put it in quotes: "off"'),
        ("On", "this should be 'both', 'off' or 'on'"),
        ("no", "this should be 'both', 'off' or 'on'"),
        ("1", "this should be 'both', 'off' or 'on'"),
    ],
)
def test_a_word_that_yaml_takes_for_a_boolean(text: str, problem: str) -> None:
    document = read_yaml(f"mode: {text}", "f")
    with pytest.raises(ValidationError) as caught:
        Switch.model_validate(document.data)
    [found] = schema_problems(caught.value, document, Switch)
    assert str(found).replace("\n    fix: ", " | ") == f"f:1:7: mode: {problem}"


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")

    meaning: str = ""
    apart: int = 0
    other: dict[str, int] = Field(default_factory=dict)

    @field_validator("other")
    @classmethod
    def _needs_apart(cls, other: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        if other and not info.data.get("apart", 1):
            raise ValueError("apart is missing")
        return other


@pytest.mark.parametrize(
    ("data", "rest"),
    [
        ({"meaning": "x", "apart": "y"}, {"meaning": "x"}),
        ({"meaning": "x", "apart": "y", "other": {"z": "z"}}, {"meaning": "x"}),
        ({"meaning": "x", "apert": 1}, {"meaning": "x"}),
        ({"meaning": "x", "xyz": 1}, {"meaning": "x"}),
        ({"apart": "y", "other": {"z": 1}}, None),
        ({"meaning": 1, "apart": "y"}, None),
        ({"meening": "x"}, None),
        (["meaning"], None),
        (None, None),
    ],
)
def test_what_is_left_without_what_is_wrong(data: object, rest: object) -> None:
    with pytest.raises(ValidationError) as error:
        Whole.model_validate(data)
    left = without_wrong(error.value, data, Whole, ("apart", "other"))
    assert (None if left is None else left.model_dump(exclude_unset=True)) == rest
