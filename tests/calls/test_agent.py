from __future__ import annotations

from dataclasses import replace

from tests.support.fake_call import agent


def test_the_models_of_an_agent_come_in_the_order_they_are_tried() -> None:
    first, second = agent(base_url="ws://a/v1"), agent(base_url="ws://b/v1")
    bot = replace(first, fallbacks=(second.source,))
    assert [source.base_url for source in bot.sources] == ["ws://a/v1", "ws://b/v1"]


def test_the_key_is_not_shown() -> None:
    assert "sk-secret" not in repr(agent(api_key="sk-secret"))
