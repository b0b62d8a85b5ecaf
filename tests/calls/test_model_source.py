from __future__ import annotations

from collections.abc import Callable
from typing import Any

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.base.interfaces import ModelConnection
from telephony.calls.model_source import ModelSource
from telephony.calls.polite_close import PoliteConnection
from telephony.realtime.dialect import Brief, Dialect
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_model import OpenAILiveModel
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig
from tests.support.fake_call import FakeConnection, FakeConnector

MODEL = OpenAIRealtimeModel(SessionConfig(model="m"))


async def test_a_websocket_is_opened_with_the_dialects_url_and_headers() -> None:
    source = ModelSource(MODEL, "http://model.test/v1", "sk-1")
    dialect = source.new_dialect(Brief(), PCMU, Ids.seeded(1))
    connector = FakeConnector()
    await source.connect(dialect, connector, lambda message: None, lambda code, reason: None)
    assert connector.urls == ["ws://model.test/v1/realtime?model=m"]
    assert connector.headers == [{"Authorization": "Bearer sk-1"}]


async def test_an_opener_takes_the_place_of_the_websocket() -> None:
    opened: list[Dialect] = []
    connection = FakeConnection()

    async def opener(
        dialect: Dialect,
        on_message: Callable[[Any], None],
        on_closed: Callable[[int, str], None],
    ) -> ModelConnection:
        opened.append(dialect)
        return connection

    source = ModelSource(MODEL, opener=opener)
    dialect = source.new_dialect(Brief(), PCMU, Ids.seeded(1))
    connector = FakeConnector()
    made = await source.connect(dialect, connector, lambda message: None, lambda code, reason: None)
    assert made is connection
    assert opened == [dialect]
    assert connector.urls == []


async def test_a_model_whose_sessions_are_ended_by_a_message_gets_to_say_it() -> None:
    source = ModelSource(OpenAILiveModel(LiveConfig()), "http://model.test/v1", "sk-1")
    dialect = source.new_dialect(Brief(), PCMU, Ids.seeded(1))
    connector = FakeConnector()
    made = await source.connect(dialect, connector, lambda message: None, lambda code, reason: None)
    assert isinstance(made, PoliteConnection)
    assert connector.urls == ["ws://model.test/v1/live/sessions"]
