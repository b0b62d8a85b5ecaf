from __future__ import annotations

import pytest

from telephony.calls.destination import Destination, TransferResult
from telephony.calls.transfer_tool import (
    cancels,
    chosen,
    failure_text,
    transfer_definition,
    unknown_destination,
)

DESTINATIONS = {"sales": Destination("+15550100", description="Orders."), "desk": Destination("1")}


def test_the_model_sees_names_and_no_numbers() -> None:
    definition = transfer_definition(DESTINATIONS)
    parameters = definition.parameters
    assert parameters is not None
    assert parameters["properties"]["destination"]["enum"] == ["sales", "desk"]
    assert parameters["properties"]["destination"]["description"] == (
        "Where to:\nsales: Orders.\ndesk"
    )
    assert "5550100" not in str(definition)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ('{"destination": "sales"}', "sales"),
        ('{"destination": "+15550100"}', None),
        ('{"destination": ["sales"]}', None),
        ("{}", None),
        ("no json", None),
        ("[]", None),
    ],
)
def test_only_names_of_ours_are_chosen(arguments: str, name: str | None) -> None:
    assert chosen(arguments, DESTINATIONS) == name


def test_only_an_attended_transfer_can_be_given_up() -> None:
    attended = {"desk": Destination("1", "attended")}
    parameters = transfer_definition(attended).parameters
    assert parameters is not None
    assert parameters["properties"]["destination"]["enum"] == ["desk", "cancel"]
    assert "\ncancel: nowhere" in parameters["properties"]["destination"]["description"]
    wish = '{"destination": "cancel"}'
    assert cancels(wish, attended)
    assert not cancels('{"destination": "desk"}', attended)
    assert not cancels("[]", attended)
    assert not cancels(wish, DESTINATIONS)
    named = {**attended, "cancel": Destination("2")}
    assert not cancels(wish, named)
    assert chosen(wish, named) == "cancel"


def test_what_the_model_is_told() -> None:
    assert "sales, desk" in unknown_destination(DESTINATIONS)
    text = failure_text("sales", TransferResult("no_answer", 480))
    assert "sales failed: nobody answered" in text
    refused = failure_text("sales", TransferResult("not_taken", 603, "Decline"))
    assert "sales failed: the caller's telephone line cannot be transferred." in refused
