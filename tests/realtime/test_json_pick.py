from __future__ import annotations

from typing import Any

import pytest

from telephony.realtime.json_pick import JsonPath

ORDERS = {"orders": [{"id": 1, "a key": "x"}, {"id": 2}], "total": None, "": 0}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", ORDERS),
        ("$.orders[0].id", 1),
        ("$.orders[-1].id", 2),
        ("$.orders[*].id", [1, 2]),
        ("$.orders.*.id", [1, 2]),
        ("$.orders[0]['a key']", "x"),
        ('$["orders"][1]["id"]', 2),
        ("$.total", None),
        ("$['']", 0),
        ("$.orders[*].nothing", []),
    ],
)
def test_a_path_leads_to_a_value(path: str, expected: Any) -> None:
    assert JsonPath.parse(path).pick(ORDERS) == expected


@pytest.mark.parametrize("path", ["$.nothing", "$.orders[2]", "$.orders.id", "$[0]", "$.total.x"])
def test_a_path_that_leads_nowhere(path: str) -> None:
    with pytest.raises(LookupError):
        JsonPath.parse(path).pick(ORDERS)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("orders", "begins"),
        ("$orders", "2"),
        ("$.", "2"),
        ("$.a[", "4"),
        ("$..a", "2"),
        ("$[01]", "2"),
    ],
)
def test_what_is_no_path(path: str, place: str) -> None:
    with pytest.raises(ValueError, match=place):
        JsonPath.parse(path)


def test_a_wildcard_finds_so_much() -> None:
    assert len(JsonPath.parse("$[*][*]").pick([[0] * 900, [0] * 900])) == 1000
