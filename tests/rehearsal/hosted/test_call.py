from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from telephony.rehearsal.hosted.call import RehearsedCall
from telephony.rehearsal.model_server import ModelServer, serve
from telephony.rehearsal.outbox import ClientError
from tests.support.eventually import eventually
from tests.support.scenes import script

SESSION = {"type": "realtime", "model": "gpt-realtime-2.1"}


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with serve(scenario=script("  - {when: greeting, say: short_answer}\n")) as server:
        yield server


def ring(model: ModelServer) -> RehearsedCall:
    return RehearsedCall({"realtime": "rtc_1", "live": "live_1"}, model, 8.0)


async def test_what_became_of_it_is_noted_and_told(model: ModelServer) -> None:
    call, told = ring(model), []
    call.on_event = lambda what, value: told.append((what, value))
    call.accept("realtime", SESSION)
    call.hang_up()
    call.caller_leaves()
    assert call.did == [("accept", "realtime"), ("hangup", None), ("left", None)]
    assert told == call.did
    assert call.state == "ended"
    assert call.over.is_set()


async def test_a_session_that_is_no_good_leaves_it_ringing(model: ModelServer) -> None:
    call = ring(model)
    with pytest.raises(ClientError):
        call.accept("realtime", SESSION | {"nope": 1})
    assert call.state == "ringing"
    call.reject(486)
    assert (call.state, call.did) == ("rejected", [("reject", 486)])


async def test_every_sideband_hears_all_and_closes_with_the_call(model: ModelServer) -> None:
    call = ring(model)
    call.accept("realtime", SESSION)
    heard: list[list[str]] = [[], []]
    closed: list[int] = []
    for messages in heard:
        call.attach(messages.append, closed.append)
    assert call.sidebands == 2
    call.receive('{"type": "response.create"}')
    await eventually(lambda: any("output_audio_buffer.started" in m for m in heard[0]))
    assert heard[0] == heard[1]
    call.detach(heard[1].append)
    call.caller_leaves()
    assert closed == [1000]
    # What comes later is for nobody.
    count = len(heard[0])
    call.receive('{"type": "response.create"}')
    call.say("caller_yes")
    call.press("1")
    assert len(heard[0]) == count


async def test_a_live_call_says_that_it_is_over(model: ModelServer) -> None:
    call, messages = ring(model), list[Any]()
    call.accept("live", {"type": "live", "model": "gpt-live-1"})
    call.attach(messages.append, lambda code: None)
    call.hang_up()
    assert '"reason":"close_requested"' in messages[-1]


async def test_what_only_one_of_the_apis_has_is_nothing_on_the_other(model: ModelServer) -> None:
    call = ring(model)
    call.accept("realtime", SESSION)
    call.speak("Hello.")
    call.bill(60.0)
    assert call.live is None
    call = ring(model)
    said: list[str] = []
    call.on_message = said.append
    call.accept("live", {"type": "live", "model": "gpt-live-1"})
    call.speak("Hello.")
    call.bill(60.0)
    call.call_tool("look", {})
    assert len(said) == 3
