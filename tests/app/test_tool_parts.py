from __future__ import annotations

import pytest
from pydantic import ValidationError

from telephony.app.tool_parts import HttpPart, McpPart


def test_what_is_left_out_is_safe() -> None:
    part = HttpPart(name="a", url="https://a.example")
    assert (part.allow_http, part.allow_private, part.approval) == (False, False, "never")
    assert (part.method, part.response.max_bytes) == ("GET", 16_384)
    assert McpPart(name="a").tools is None


def test_tools_of_a_server_may_have_wishes_or_none() -> None:
    assert McpPart.model_validate({"name": "a", "tools": ["b"]}).tools == {"b": None}
    with_wishes = McpPart.model_validate(
        {"name": "a", "tools": {"b": None, "c": {"timeout_s": 1.0}}}
    )
    assert with_wishes.tools is not None
    assert set(with_wishes.tools) == {"b", "c"}


@pytest.mark.parametrize(
    ("tools", "place"),
    [
        ({"send": {"approval": "always"}}, ("tools", "send", "approval")),
        ({"send": {"wait": 1}}, ("tools", "send", "wait")),
        ([7], ("tools",)),
        ("send", ("tools",)),
    ],
)
def test_a_wish_that_is_wrong_has_one_place(tools: object, place: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        McpPart.model_validate({"name": "a", "tools": tools})
    assert [error["loc"] for error in caught.value.errors()] == [place]


@pytest.mark.parametrize("name", ["", "a b", "n" * 65, "ä"])
def test_names_that_models_do_not_take(name: str) -> None:
    with pytest.raises(ValidationError, match="no name for a tool"):
        HttpPart(name=name, url="https://a.example")


@pytest.mark.parametrize("header", ["X:", "X Y", "", "X\r\nY"])
def test_what_is_no_header(header: str) -> None:
    with pytest.raises(ValidationError, match="name of a header"):
        HttpPart(name="a", url="https://a.example", headers={header: "x"})
