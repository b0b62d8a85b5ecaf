from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import DigitsSent
from telephony.calls.digits_tool import (
    MAX_LENGTH,
    SEND_DIGITS_DEFINITION,
    outcome_text,
    press_keys,
    wanted_keys,
)
from tests.support.fake_call import FakeMedia


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        ('{"digits": "4711#"}', "4711#"),
        ('{"digits": "1,w2"}', "1,,2"),
        ('{"digits": 42}', "42"),
        ('{"digits": "a*"}', "A*"),
    ],
)
def test_keys_that_are_pressed(arguments: str, keys: str) -> None:
    assert wanted_keys(arguments) == keys


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "digits is missing"),
        ("{}", "digits is missing"),
        ('{"digits": null}', "digits is missing"),
        ('{"digits": true}', "digits is missing"),
        ('{"digits": -1}', "digits is missing"),
        ('{"digits": ["1"]}', "digits is missing"),
        ('{"digits": ""}', "no keys to press"),
        ('{"digits": ",,"}', "no keys to press"),
        ('{"digits": "one"}', "no such keys: 'o'"),
        (json.dumps({"digits": "1" * (MAX_LENGTH + 1)}), f"at most {MAX_LENGTH}"),
    ],
)
def test_what_the_model_got_wrong_is_said(arguments: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wanted_keys(arguments)


def test_the_model_hears_what_was_sent() -> None:
    assert json.loads(outcome_text(DigitsSent("12#", "info"))) == {"sent": "12#"}
    partly = outcome_text(DigitsSent("1", "info", "the call is over"))
    assert json.loads(partly) == {"error": "the call is over; '1' was sent"}
    nothing = outcome_text(DigitsSent("", "info", "the call is over"))
    assert json.loads(nothing) == {"error": "the call is over; nothing was sent"}


def test_the_definition_names_what_is_read() -> None:
    assert SEND_DIGITS_DEFINITION.parameters is not None
    assert list(SEND_DIGITS_DEFINITION.parameters["properties"]) == ["digits"]


class SlowMedia(FakeMedia):
    """Sends when the test says so."""

    on_sent: Callable[[DigitsSent], None] | None = None

    def send_digits(self, digits: str, on_sent: Any = None) -> None:
        if digits == "9":
            raise LocalProtocolError("no way")
        self.on_sent = on_sent


async def test_pressing_waits_until_the_keys_are_sent() -> None:
    media = SlowMedia()
    pressing = asyncio.ensure_future(press_keys(media, "1"))
    await asyncio.sleep(0)
    assert not pressing.done()
    assert media.on_sent is not None
    media.on_sent(DigitsSent("1", "inband"))
    assert await pressing == DigitsSent("1", "inband")


async def test_nobody_may_wait_any_longer() -> None:
    media = SlowMedia()
    pressing = asyncio.ensure_future(press_keys(media, "1"))
    await asyncio.sleep(0)
    pressing.cancel()
    await asyncio.sleep(0)
    assert media.on_sent is not None
    media.on_sent(DigitsSent("1", "inband"))


async def test_no_way_is_an_error() -> None:
    with pytest.raises(LocalProtocolError):
        await press_keys(SlowMedia(), "9")
