from __future__ import annotations

import json

from telephony.calls.handoff import Handoff
from telephony.calls.handoff_tool import (
    chosen_handoff,
    chosen_language,
    handoff_definition,
    language_definition,
    no_such,
)

HANDOFFS = {"billing": Handoff("billing-bot", "Invoices."), "sales": Handoff("sales")}


def test_the_model_sees_names_and_descriptions() -> None:
    tool = handoff_definition(HANDOFFS)
    assert tool.name == "handoff"
    to = tool.parameters["properties"]["to"]
    assert to["enum"] == ["billing", "sales"]
    assert to["description"] == "To whom:\nbilling: Invoices.\nsales"
    assert "billing-bot" not in json.dumps(tool.model_dump())


def test_the_model_sees_languages() -> None:
    tool = language_definition(["en", "es"])
    assert tool.name == "switch_language"
    assert tool.parameters["properties"]["language"]["enum"] == ["en", "es"]


def test_what_the_model_chose() -> None:
    assert chosen_handoff('{"to": "billing"}', HANDOFFS) == "billing"
    assert chosen_language('{"language": "es"}', {"en": 1, "es": 2}) == "es"
    for text in ("", "{}", "[]", '{"to": ["billing"]}', '{"to": "Billing"}', '{"language": 1}'):
        assert chosen_handoff(text, HANDOFFS) is None
        assert chosen_language(text, {"en": 1}) is None


def test_a_choice_that_there_is_not() -> None:
    assert "billing, sales" in no_such("colleague", HANDOFFS)
