"""Sessions that end, connections that drop, models that refuse: the call goes on."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.models.conftest import Scene
from tests.support.eventually import eventually
from tests.support.far_models import FAR_MODELS, FarModel
from tests.support.models import openai_agent
from tests.support.scenes import PATIENCE_S, script, until_silent

REMEMBERS = script(
    """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, say: you_said}
  - {when: {turn: 2}, say: tool_done}
  - {when: nudge, say: short_answer}
  - {when: any, say: short_answer}
"""
)
"""Only a model that was told of the first turn knows which one is the second."""
KNOWS = ("assistant", "Done, that is taken care of.")


async def first_turn(p: Any, far: FarModel) -> Any:
    caller = await p.dial()
    await until_silent(caller)
    await caller.say(far.words)
    await until_silent(caller)
    return caller


async def second_turn(caller: Any, far: FarModel) -> None:
    await caller.say(far.words)
    await until_silent(caller)


async def test_a_session_near_its_limit_is_followed_by_another(scene: Scene) -> None:
    async with scene(REMEMBERS) as (p, far):
        caller = await first_turn(p, far)
        conversation = p.present_call().conversation
        before = far.sessions
        # What is said while the next session is being opened reaches it as context, not as turns.
        await eventually(lambda: conversation.bridge.quiet)
        conversation.session_expiring(None)
        await eventually(lambda: p.watcher.reconnects)
        await second_turn(caller, far)
        await eventually(lambda: far.said()[-1] == KNOWS)
        assert far.connections == 1
        assert far.sessions >= before
        assert conversation.bridge.uplink.dropped_ms == 0
        await caller.hang_up()
    assert p.watcher.reconnects[0] in ("rolled_over", "restored")


async def test_a_dropped_connection_is_made_anew_with_what_was_said(scene: Scene) -> None:
    async with scene(REMEMBERS) as (p, far):
        caller = await first_turn(p, far)
        far.drop()
        await eventually(lambda: p.watcher.reconnects)
        await second_turn(caller, far)
        await eventually(lambda: far.said()[-1] == KNOWS)
        await caller.hang_up()
    assert p.watcher.reconnects == ["restored"]


OTHERS = [(api, "openai_realtime") for api in sorted(FAR_MODELS) if api != "openai_realtime"]
PAIRS = OTHERS + [(other, api) for api, other in OTHERS]


@pytest.mark.parametrize(("api", "other"), PAIRS)
async def test_a_model_of_another_vendor_takes_over(scene: Scene, other: str) -> None:
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(FAR_MODELS[other](REMEMBERS))
        fields = {"fallbacks": (second.source,), "warm": second.keeps_warm}
        p, far = await stack.enter_async_context(scene(REMEMBERS, **fields))
        caller = await first_turn(p, far)
        far.refuse()
        far.drop()
        await eventually(lambda: p.watcher.reconnects)
        await second_turn(caller, second)
        # It was told of the greeting and of the first turn, which it never heard.
        await eventually(lambda: second.said()[-1][0] == "assistant")
        told = [(role, text) for role, text in second.said() if text]
        assert [text for role, text in told if role == "assistant"][:2] == ["You said:"] * 2
        await caller.hang_up()
        await eventually(lambda: p.reception.active_calls == 0)
    # One that holds no session finds out only when it is asked to speak.
    assert p.watcher.reconnects[-1] == "failed_over"


FORMATS = [("openai_realtime", "gemini_live"), ("gemini_live", "openai_realtime")]
"""G.711 as the line has it, and 16 kHz."""


@pytest.mark.parametrize(("api", "other"), FORMATS)
async def test_a_model_with_another_format_hears_what_was_said_before_it_came(
    scene: Scene, other: str
) -> None:
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(FAR_MODELS[other](REMEMBERS))
        # Long enough to say something in.
        gap = {"reconnect_initial_s": 2.0, "reconnect_maximum_s": 2.0}
        fields = {"fallbacks": (second.source,), **gap}
        p, far = await stack.enter_async_context(scene(REMEMBERS, **fields))
        caller = await first_turn(p, far)
        bridge = p.present_call().conversation.bridge
        far.refuse()
        far.drop()
        await eventually(lambda: not bridge.dialect.ready)
        await caller.say(second.words)
        assert not second.sessions
        await eventually(lambda: p.watcher.reconnects == ["failed_over"])
        # Two turns of the caller: the one that it was told of, and the one that it heard.
        await eventually(lambda: KNOWS in second.said())
        assert bridge.uplink.dropped_ms == 0
        await caller.hang_up()


async def test_a_call_that_the_first_model_refuses_is_taken_by_the_second(scene: Scene) -> None:
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(FAR_MODELS["openai_realtime"](REMEMBERS))
        p, far = await stack.enter_async_context(scene(REMEMBERS, fallbacks=(second.source,)))
        far.refuse()
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        assert second.sessions == 1
        await caller.hang_up()


async def test_a_caller_is_handed_to_another_agent(scene: Scene, api: str) -> None:
    async with FAR_MODELS[api](REMEMBERS) as second:
        billing = openai_agent(
            name="billing", source=second.source, instructions="You are billing."
        )
        async with scene(REMEMBERS, others={"billing": billing}) as (p, far):
            caller = await first_turn(p, far)
            conversation = p.present_call().conversation
            assert await conversation.hand_off("billing")
            await until_silent(caller)
            await second_turn(caller, far)
            await eventually(lambda: not far.connections)
            assert second.said()[-1][0] == "assistant"
            roles = [role for role, _ in second.said()]
            assert roles.count("user") >= 2
            await caller.hang_up()
