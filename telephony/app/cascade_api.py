"""How a cascade is read from an agent's file, and how its three services are reached."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from telephony.app.speech_services import synthesizer_of, transcriber_of
from telephony.calls.model_source import ModelOpener
from telephony.realtime.cascade.config import API_VERSION, CascadeConfig
from telephony.realtime.cascade.model import CascadeModel
from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig
from telephony.realtime.dialect import RealtimeModel


def read_cascade(values: Mapping[str, Any]) -> RealtimeModel:
    """Make the model of ``values``; raises InvalidSessionConfig with every problem found."""
    if find_spec("anthropic") is None:
        fix = 'pip install "telephony-voice-bot[anthropic]"'
        raise InvalidSessionConfig([FieldProblem("", "the package anthropic is missing", fix)])
    config = CascadeConfig.from_mapping(values)
    voice = {} if config.voice is None else {"voice": config.voice}
    problems: list[FieldProblem] = []
    made: list[Any] = []
    for make, part in ((transcriber_of, config.stt), (synthesizer_of, voice | config.tts)):
        try:
            made.append(make(part))
        except InvalidSessionConfig as error:
            problems += error.problems
    if problems:
        raise InvalidSessionConfig(problems)
    return CascadeModel(config, *made)


def open_cascade(model: RealtimeModel, base_url: str, api_key: str | None) -> ModelOpener:
    """Return the opener of a model that :func:`read_cascade` made."""
    # Anthropic's package takes a second to import: only who uses it waits, and before any call.
    from telephony.net.cascade_connection import CascadeOpener
    from telephony.net.claude import ClaudeClient

    assert isinstance(model, CascadeModel)
    claude = ClaudeClient(base_url, api_key, API_VERSION)
    return CascadeOpener(model.transcriber, model.synthesizer, claude)
