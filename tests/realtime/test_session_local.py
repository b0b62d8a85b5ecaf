"""The settings of a server of one's own."""

from __future__ import annotations

import pytest

from telephony.realtime.openai_variants import LOCAL
from telephony.realtime.session_local import LocalSessionConfig


@pytest.mark.parametrize(
    ("key", "trait"),
    [
        ("item_truncate", "truncates"),
        ("item_delete", "deletes"),
        ("out_of_band", "out_of_band"),
        ("g711", "g711"),
    ],
)
def test_what_a_server_understands_is_a_key(key: str, trait: str) -> None:
    for value in (True, False):
        config = LocalSessionConfig.from_mapping({"model": "m", key: value})
        assert getattr(config.variant(LOCAL), trait) is value


def test_a_response_may_take_instructions_alone() -> None:
    config = LocalSessionConfig.from_mapping({"model": "m", "response_tool_choice": False})
    assert config.variant(LOCAL).response_fields == {"instructions"}
    assert LocalSessionConfig(model="m").variant(LOCAL).response_fields == LOCAL.response_fields
