from __future__ import annotations

import pytest

from telephony.dialplan.targets import call_target, is_uri


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("+1 (555) 010-0100", "+15550100100"),
        ("100", "100"),
        ("*97", "*97"),
        ("tel:+1-555-0100", "+15550100"),
        ("sip:desk@10.0.0.9:5070;transport=tcp", "sip:desk@10.0.0.9:5070;transport=tcp"),
        ("sips:desk@pbx.example", "sips:desk@pbx.example"),
        ("sip:10.0.0.9", "sip:10.0.0.9"),
    ],
)
def test_what_can_be_called(text: str, target: str) -> None:
    assert call_target(text) == target
    assert is_uri(target) == target.startswith("sip")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "desk",
        "sip:",
        "sip:a@b?Replaces=x",
        "sip:a b@c",
        "sip:<a@b>",
        "sip:a@b\r\nVia: x",
        "mailto:a@b",
        "+1555,+1666",
        "sip:" + "a" * 300,
        "1" * 300,
    ],
)
def test_what_cannot(text: str) -> None:
    with pytest.raises(ValueError, match=r"\nfix: "):
        call_target(text)
