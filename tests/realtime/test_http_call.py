from __future__ import annotations

import json
from typing import Any

import pytest

from telephony.realtime.http_call import HttpCall, HttpTemplate, Method
from telephony.realtime.template import Template

VALUES = {"caller": "+15550199", "shop": "north & south"}


def template(url: str, method: Method = "GET", **fields: Any) -> HttpTemplate:
    def parsed(node: Any) -> Any:
        if isinstance(node, str):
            return Template.parse(node)
        if isinstance(node, dict):
            return {key: parsed(value) for key, value in node.items()}
        return [parsed(each) for each in node] if isinstance(node, list) else node

    return HttpTemplate(method, Template.parse(url), **{k: parsed(v) for k, v in fields.items()})


def build(url: str, arguments: dict[str, Any], method: Method = "GET", **fields: Any) -> HttpCall:
    return template(url, method, **fields).build(arguments, VALUES)


def test_values_stay_in_their_place() -> None:
    call = build("https://a.test/orders/{{id}}/x?q={{q}}", {"id": "7/../8?a=b#c", "q": "a&b= c"})
    assert call.url == "https://a.test/orders/7%2F..%2F8%3Fa%3Db%23c/x?q=a%26b%3D%20c"
    assert (call.method, call.body, call.headers) == ("GET", None, {})


@pytest.mark.parametrize("value", [".", "..", "", "\x00", " "])
def test_values_that_would_name_another_place(value: str) -> None:
    with pytest.raises(ValueError, match=r"path|empty"):
        build("https://a.test/orders/{{id}}", {"id": value})


def test_what_is_used_nowhere_else_becomes_the_query() -> None:
    call = build("https://a.test/{{id}}", {"id": 1, "flag": True, "tags": ["a", "b c"], "n": 1.5})
    assert call.url == "https://a.test/1?flag=true&tags=a&tags=b%20c&n=1.5"
    assert build("https://a.test/?x=1", {"y": 2}).url == "https://a.test/?x=1&y=2"
    assert build("https://a.test/", {}).url == "https://a.test/"


def test_a_query_that_is_given_leaves_out_what_the_model_did() -> None:
    query = {"from": "{{caller}}", "day": "{{day}}", "text": "shop {{shop}} {{day}}"}
    call = build("https://a.test/", {}, query=query)
    assert call.url == ("https://a.test/?from=%2B15550199&text=shop%20north%20%26%20south")
    assert "day=mon" in build("https://a.test/", {"day": "mon"}, query=query).url


def test_a_body_of_its_own() -> None:
    body = {"id": "{{id}}", "note": "by {{caller}}", "tags": ["{{tags}}", 1], "gone": "{{gone}}"}
    call = build("https://a.test/", {"id": 7, "tags": {"a": 1}}, "POST", body=body)
    assert json.loads(call.body or b"") == {"id": 7, "note": "by +15550199", "tags": [{"a": 1}, 1]}
    assert call.headers == {"Content-Type": "application/json"}


def test_the_body_is_what_is_used_nowhere_else() -> None:
    call = build("https://a.test/{{id}}", {"id": 7, "name": "Ann"}, "PUT")
    assert call.url == "https://a.test/7"
    assert json.loads(call.body or b"") == {"name": "Ann"}


def test_headers_hold_one_line() -> None:
    headers = {"X-Caller": "{{caller}}", "X-Name": "{{name}}"}
    call = build("https://a.test/", {"name": "a\r\nHost: evil"}, headers=headers)
    assert call.headers == {"X-Caller": "+15550199", "X-Name": "a Host: evil"}
    assert "evil" not in call.url


def test_every_name_is_known() -> None:
    made = template(
        "https://a.test/{{a}}", "POST", headers={"x": "{{b}}"}, query={"y": "{{c}}"}, body=["{{d}}"]
    )
    assert [name.name for name in made.names] == ["a", "b", "c", "d"]


def test_what_is_sent_is_not_shown() -> None:
    call = build("https://a.test/{{id}}", {"id": "secret"}, headers={"Authorization": "token"})
    assert "secret" not in repr(call)
    assert "token" not in repr(call)
