"""Whatever takes the place of our user agent has its commands, by name and by argument."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from telephony.sip.user_agent import UserAgent
from telephony.stacks.call_core import BotCore
from tests.support.pyvoip import require_pyvoip

COMMANDS = [name for name in dir(BotCore) if not name.startswith("_")]


def takes(owner: Any, name: str) -> dict[str, Any]:
    found = inspect.signature(getattr(owner, name)).parameters.values()
    return {p.name: p.default for p in found}


def fits(owner: Any, name: str) -> bool:
    """Every argument of the contract is there; further ones have defaults."""
    if isinstance(inspect.getattr_static(BotCore, name), property):
        return isinstance(inspect.getattr_static(owner, name), property)
    wanted, found = takes(BotCore, name), takes(owner, name)
    further = [default for argument, default in found.items() if argument not in wanted]
    known = {argument: found[argument] for argument in wanted if argument in found}
    return known == wanted and inspect.Parameter.empty not in further


def test_there_is_something_to_compare() -> None:
    assert {"invite", "answer", "bye", "receive_message", "stats"} <= set(COMMANDS)


def test_a_command_without_an_argument_does_not_fit() -> None:
    class Poor:
        def ring(self, leg_id: str) -> bool:
            return True

    assert not fits(Poor, "ring")


@pytest.mark.parametrize("name", COMMANDS)
def test_ours_fits(name: str) -> None:
    assert fits(UserAgent, name)


@pytest.mark.parametrize("name", COMMANDS)
def test_pyvoip_fits(name: str) -> None:
    require_pyvoip()
    from telephony.stacks.pyvoip.user_agent import PyvoipUserAgent

    assert fits(PyvoipUserAgent, name)
