"""Parameters behind quotes and brackets."""

from __future__ import annotations

import pytest

from telephony.sip.header_parameters import list_items, quoted, split_parameters, unquoted
from tests.support.sip_headers import view


@pytest.mark.parametrize(
    ("value", "head", "parameters"),
    [
        ("Q.850;cause=16", "Q.850", {"cause": "16"}),
        ('SIP ; Cause = 200 ; text="a;b"', "SIP", {"cause": "200", "text": "a;b"}),
        ("<sip:a;b=c@d>;x=1;X=2", "<sip:a;b=c@d>", {"x": "1"}),
        ("t;info=<https://h/a;b>;lone", "t", {"info": "<https://h/a;b>", "lone": ""}),
        ('"a<;>b" <sip:x>;p', '"a<;>b" <sip:x>', {"p": ""}),
        (r'v;text="say \"hi\"; bye"', "v", {"text": 'say "hi"; bye'}),
        ('v;text="open;more=1', "v", {"text": '"open;more=1'}),
        ("v;<open;more=1", "v", {"<open;more": "1"}),
        ("", "", {}),
        (";;=;a", "", {"a": ""}),
    ],
)
def test_split(value: str, head: str, parameters: dict[str, str]) -> None:
    assert split_parameters(value) == (head, parameters)


@pytest.mark.parametrize("text", ["", "plain", 'with "quotes"', "back\\slash", "ünïcode; , <>"])
def test_quoting_is_undone(text: str) -> None:
    assert unquoted(quoted(text)) == text


def test_no_line_break_gets_into_a_quoted_string() -> None:
    assert quoted("a\r\nVia: x\0") == '"aVia: x"'


def test_items_are_bounded() -> None:
    headers = view(("Reason", "a, b"), ("Reason", "x" * 50), ("reason", 'c;text="d, e",f,g'))
    assert list_items(headers, "Reason", 4, 40) == ["a", "b", 'c;text="d, e"', "f"]
    assert list_items(headers, "Absent", 4, 40) == []
