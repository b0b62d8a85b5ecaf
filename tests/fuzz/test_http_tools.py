"""Whatever a model writes, a request goes where the agent's file says."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from telephony.realtime.http_call import HttpTemplate
from telephony.realtime.json_arguments import JsonArguments
from telephony.realtime.json_pick import JsonPath
from telephony.realtime.template import Template
from telephony.realtime.tool_schema import ToolContext

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
_TEXT = st.text(max_size=30) | st.sampled_from(
    ["..", "../..", "%2e%2e", "//evil", "@evil", "?", "#"]
)


@given(_TEXT, _TEXT, st.dictionaries(st.text(min_size=1, max_size=5), _JSON, max_size=3))
@example("..", "", {})
@example("%2e%2e", "\r\n", {"#": "x"})
def test_host_and_path_stay_what_they_are(one: str, two: str, others: dict[str, Any]) -> None:
    url = Template.parse("https://api.test:8443/v1/{{one}}/end?q={{two}}")
    headers = {"X-Two": Template.parse("{{two}}")}
    with suppress(ValueError):
        call = HttpTemplate("GET", url, headers).build({"two": two, **others, "one": one}, {})
        parts = urlsplit(str(URL(call.url, encoded=True)))
        assert (parts.scheme, parts.netloc) == ("https", "api.test:8443")
        assert parts.path.startswith("/v1/")
        assert parts.path.endswith("/end")
        assert parts.path.count("/") == 3
        assert "/../" not in parts.path
        assert not parts.fragment
        assert call.url.isascii()
        assert "\r" not in call.headers["X-Two"]
        assert "\n" not in call.headers["X-Two"]


@given(
    st.text(max_size=20) | st.lists(st.sampled_from(list("$.[]*'\"a0-")), max_size=12).map("".join),
    _JSON,
)
def test_any_text_is_a_path_or_a_mistake(text: str, value: Any) -> None:
    try:
        path = JsonPath.parse(text)
    except ValueError as error:
        remedy = str(error).partition("\nfix: ")[2]
    else:
        remedy = "none is needed"
        with suppress(LookupError):
            path.pick(value)
    assert remedy


_SCHEMAS = st.dictionaries(
    st.sampled_from(
        ["type", "properties", "required", "$ref", "enum", "minimum", "items", "$defs"]
    ),
    _JSON | st.just("object") | st.just("#/$defs/a"),
    max_size=4,
)


@given(_SCHEMAS, st.dictionaries(st.text(max_size=5), _JSON, max_size=4))
def test_any_schema_is_used_or_refused(schema: dict[str, Any], values: dict[str, Any]) -> None:
    with suppress(ValueError):
        arguments = JsonArguments(schema)
        assert arguments.read(values, ToolContext())["arguments"] == values
