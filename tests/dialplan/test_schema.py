from __future__ import annotations

import pytest
from pydantic import ValidationError

from telephony.dialplan.schema import DialplanFile, ExtensionPart, When


def test_one_text_stands_for_a_list_of_one() -> None:
    when = When.model_validate({"called": "1", "headers": {"X-A": "b"}})
    assert when.called == ["1"]
    assert when.headers == {"X-A": ["b"]}
    assert when.caller is None


@pytest.mark.parametrize(
    "when", [{"called": []}, {"called": 5}, {"called": None, "x": 1}, {"headers": {}}]
)
def test_conditions_that_say_nothing_are_refused(when: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        When.model_validate(when)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 65, 5])
def test_names_are_one_short_line(name: object) -> None:
    with pytest.raises(ValidationError):
        ExtensionPart.model_validate({"name": name, "do": ["answer"]})
    with pytest.raises(ValidationError):
        DialplanFile.model_validate({"contexts": {name: []}})
