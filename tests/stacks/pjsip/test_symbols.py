from __future__ import annotations

import pytest

from tests.support.pjsip_stack import pjsip

# isort: split
from telephony.stacks.pjsip import symbols


async def test_how_many_calls_there_is_room_for_is_asked_of_the_library() -> None:
    symbols.max_calls_built_in.cache_clear()
    built_in = symbols.max_calls_built_in()
    assert built_in >= 1
    assert symbols.max_calls_in_use() == 0
    async with pjsip():
        assert symbols.max_calls_in_use() == built_in


def test_a_build_whose_symbols_are_hidden_has_the_usual_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(symbols, "c_library", lambda: None)
    symbols.silence_before_start()
    assert symbols.max_calls_in_use() == symbols.DEFAULT_MAX_CALLS
