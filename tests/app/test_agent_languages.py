from __future__ import annotations

import pytest

from telephony.app.agent_languages import LanguagePart, in_language, merged, read_languages
from telephony.app.model_apis import MODEL_APIS, OPENAI_REALTIME, ModelApi
from telephony.app.model_reader import ModelPart
from telephony.realtime.config_problems import InvalidSessionConfig


def test_mappings_are_joined_at_every_depth() -> None:
    base = {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}
    over = {"a": {"c": {"f": 3}, "b": {"x": 1}}, "e": [2]}
    assert merged(base, over) == {"a": {"b": {"x": 1}, "c": {"d": 2, "f": 3}}, "e": [2]}
    assert base == {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}


def test_what_is_said_for_a_language_is_for_models_of_the_first_api() -> None:
    part = LanguagePart(voice="coral", session={"speed": 0.9})
    own = in_language(ModelPart(voice="marin"), part, "es", OPENAI_REALTIME)
    assert (own.voice, own.session) == (
        "coral",
        {"speed": 0.9, "transcription": {"language": "es"}},
    )
    other = in_language(ModelPart(voice="marin"), part, "es", "another")
    assert (other.voice, other.session) == ("marin", {"transcription": {"language": "es"}})


def test_transcription_hears_the_language_unless_it_is_told_or_off() -> None:
    hear = MODEL_APIS[OPENAI_REALTIME].in_language
    assert hear({}, "pt-BR") == {"transcription": {"language": "pt"}}
    for session in ({"transcription": None}, {"transcription": {"languages": ["en", "es"]}}):
        assert hear(session, "es") == session


def test_gemini_speaks_and_hears_the_language() -> None:
    hear = MODEL_APIS["gemini_live"].in_language
    assert hear({}, "es") == {"language_code": "es", "transcription": {"language_codes": ["es"]}}
    told = {"language_code": "es-MX", "transcription": None}
    assert hear(told, "es") == told


@pytest.mark.parametrize("api", MODEL_APIS.values(), ids=list(MODEL_APIS))
def test_what_a_language_adds_is_what_the_api_knows(api: ModelApi) -> None:
    found: list[str] = []
    try:
        api.read(api.in_language({}, "es"))
    except InvalidSessionConfig as error:
        found = [problem.path for problem in error.problems]
    assert not any(path.startswith(("transcription", "language")) for path in found)


def test_a_transcription_that_is_off_by_default_stays_off() -> None:
    hear = MODEL_APIS["local_realtime"].in_language
    assert hear({}, "es") == {}
    assert hear({"transcription": {}}, "es-MX") == {"transcription": {"language": "es"}}


def test_without_models_there_are_no_languages() -> None:
    assert read_languages({"es": LanguagePart()}, [], lambda part, path: None) == {}
