"""The table of servers."""

from __future__ import annotations

import json

import pytest

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.openai_variants import OPENAI_SERVERS


@pytest.mark.parametrize("api", OPENAI_SERVERS)
def test_each_entry_makes_sessions(api: str) -> None:
    server = OPENAI_SERVERS[api]
    config = server.session.from_mapping({"model": "m"})
    model = OpenAIRealtimeModel(config, server.api, server.variant)
    assert (model.api, model.model) == (api, "m")
    brief = Brief("Be kind.", (FunctionTool(name="look_up"),))
    dialect = model.new_dialect(brief, PCMU, "auto", Ids.seeded(1))
    dialect.connection_made(0.0)
    (message,) = dialect.messages_to_send()
    session = json.loads(message)["session"]
    assert session["instructions"] == "Be kind."
    assert "look_up" in json.dumps(session["tools"])
    assert dialect.traits.detects_turns
    dialect.url(server.base_url or "wss://host")


def test_a_key_variable_goes_with_every_provider() -> None:
    without = [api for api, server in OPENAI_SERVERS.items() if not server.key_variable]
    assert without == ["local_realtime"]
