"""The ``languages`` of an agent's file: one agent, with a voice for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import Field

from telephony.app.model_apis import MODEL_APIS
from telephony.app.model_reader import ModelPart
from telephony.app.settings_types import Section, named
from telephony.base.located_yaml import Path as YamlPath
from telephony.calls.agent import AgentLanguage
from telephony.calls.model_source import ModelSource

LanguageTag = Annotated[
    str, named(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8}){0,3}", "language tag", "write es or pt-BR")
]
"""A tag such as ``es`` or ``pt-BR`` (RFC 5646)."""

ReadSource = Callable[[ModelPart, YamlPath], ModelSource | None]


class LanguagePart(Section):
    voice: Any = None
    instructions_suffix: str = ""
    session: dict[str, Any] = Field(default_factory=dict)


def read_languages(
    parts: dict[str, LanguagePart], models: Sequence[ModelPart], read_source: ReadSource
) -> dict[str, AgentLanguage]:
    """Return what is different in each language.

    ``models`` are the agent's own and those that take over. Voice and session of a language are
    for those with the API of the first; the others only learn which language is spoken.
    """
    if not models:
        return {}
    languages: dict[str, AgentLanguage] = {}
    for tag, part in parts.items():
        sources = [
            read_source(in_language(model, part, tag, models[0].api), ("languages", tag))
            for model in models
        ]
        known = tuple(source for source in sources if source is not None)
        languages[tag] = AgentLanguage(known, part.instructions_suffix)
    return languages


def in_language(model: ModelPart, part: LanguagePart, tag: str, api: str) -> ModelPart:
    """Return a model of the file as it is in one language."""
    session = model.session
    voice = model.voice
    if model.api == api:
        session = merged(session, part.session)
        voice = voice if part.voice is None else part.voice
    if model.api in MODEL_APIS:
        session = MODEL_APIS[model.api].in_language(session, tag)
    return model.model_copy(update={"session": session, "voice": voice})


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the keys of ``over``, mappings joined at every depth."""
    out = dict(base)
    for key, value in over.items():
        below = out.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            value = merged(below, value)
        out[key] = value
    return out
