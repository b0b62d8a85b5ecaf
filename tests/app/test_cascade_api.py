"""A cascade from an agent's file to an open connection."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.app.cascade_api import open_cascade, read_cascade
from telephony.app.model_apis import MODEL_APIS
from telephony.net.cascade_connection import CascadeOpener
from telephony.realtime.cascade.model import CascadeModel
from telephony.realtime.config_problems import InvalidSessionConfig

SERVICES: dict[str, Any] = {"stt": {"type": "rehearsal"}, "tts": {"type": "rehearsal"}}


def test_a_model_and_its_way() -> None:
    api = MODEL_APIS["cascade"]
    model = api.read(SERVICES | {"model": "claude-sonnet-5-5", "voice": "anna"})
    assert isinstance(model, CascadeModel)
    assert model.model == "claude-sonnet-5-5"
    assert api.make_opener is not None
    assert isinstance(open_cascade(model, api.base_url, "k"), CascadeOpener)
    assert api.key_variable == "ANTHROPIC_API_KEY"


def test_every_mistake_is_told() -> None:
    values = {"stt": {"type": "nobody"}, "tts": {"type": "rehearsal", "first": 1}}
    with pytest.raises(InvalidSessionConfig) as raised:
        read_cascade(values)
    assert [problem.path for problem in raised.value.problems] == ["stt.type", "tts.first"]


def test_without_anthropics_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("telephony.app.cascade_api.find_spec", lambda name: None)
    with pytest.raises(InvalidSessionConfig, match=r"telephony-voice-bot\[anthropic\]"):
        read_cascade(SERVICES)
