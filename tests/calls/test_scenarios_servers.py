"""Whole calls with each server that speaks a variation of OpenAI Realtime."""

from __future__ import annotations

import asyncio

import pytest

from telephony.app.model_apis import MODEL_APIS
from telephony.calls.model_source import ModelSource
from telephony.rehearsal.model_server import serve
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.server_variant import SERVER_VARIANTS
from tests.support.scenes import PATIENCE_S, YES, clean_phones, script, speech, until_silent

PROMPTS = shipped_prompts()
TALK = """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, say: [opening_hours, weekend_hours]}
  - {when: any, say: you_said}
"""
SETTINGS = {"local_realtime": {"transcription": {"model": "whisper"}}}


@pytest.mark.parametrize("api", SERVER_VARIANTS)
async def test_a_call_with_a_barge_in(api: str) -> None:
    async with serve(scenario=script(TALK, ears=True), api_key="key") as model:
        values = {"model": "m"} | SETTINGS.get(api, {})
        source = ModelSource(MODEL_APIS[api].read(values), model.base_url_of(api), api_key="key")
        async with clean_phones(source=source) as p:
            caller = await p.dial()
            await until_silent(caller)
            spurt = caller.record.talkspurts[0]
            # Of whatever rate the model's speech is, it lasts as long as it does.
            assert 0.2 < spurt.ended_at - spurt.started_at < 1.0
            await caller.say(speech("caller_question"))
            assert await caller.wait_until_bot_speaks(PATIENCE_S)
            await asyncio.sleep(0.7)
            await caller.say(YES)
            await until_silent(caller)
            await caller.hang_up()
        (session,) = model.sessions
    assert p.watcher.finished == [("answered", "caller_hung_up")]
    assert [reason for reason, _ in p.watcher.barge_ins] == ["local_speech"]
    assert len(p.watcher.latencies) == 2
    # Some servers do not say when the caller spoke: it was not at the beginning of the call.
    assert all(latency.total_s < 3.0 for latency in p.watcher.latencies)
    conversation = p.calls[0].conversation
    assert conversation is not None
    stats = conversation.dialect.stats
    assert (stats.errors, stats.unknown_types) == (0, {})
    said = [item for item in conversation.dialect.history if item.role == "assistant"]
    answer = PROMPTS["opening_hours"].text + " " + PROMPTS["weekend_hours"].text
    assert len(said) == 3
    assert 0 < len(said[1].heard_text) < len(answer)
    assert answer.startswith(said[1].heard_text)
    assert ("user", PROMPTS["caller_question"].text) in p.watcher.transcripts
    believed = session.conversation.find(said[1].item_id)
    assert believed is not None
    told = api not in ("inworld", "qwen_omni")
    assert believed.content[0].truncated == told
