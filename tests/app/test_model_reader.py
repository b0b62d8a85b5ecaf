from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app import model_reader
from telephony.app.agents import LoadedAgent, load_agent
from telephony.app.settings import Settings
from telephony.app.spend_settings import Spend
from telephony.audio.format import L16_24K, PCMA
from telephony.base.ids import Ids
from telephony.calls.model_breakers import ModelBreakers
from telephony.realtime.dialect import Brief
from telephony.realtime.prices import PRICES, Price
from tests.support.models import config_of

KEYS = {"KEY_A": "sk-a", "KEY_B": "sk-b"}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str) -> LoadedAgent:
    Path("bot.yaml").write_text(text, encoding="utf-8")
    return load_agent(Path("bot.yaml"), Settings(), KEYS)


def test_fallbacks_are_models_of_their_own_in_the_order_written() -> None:
    loaded = load(
        """\
base_url: wss://one.example.com/v1
api_key: ${KEY_A}
voice: sage
fallback:
  - {base_url: wss://two.example.com/v1, api_key: "${KEY_B}", connect_timeout_s: 2}
  - {base_url: rehearsal, model: other, model_format: pcm16, session: {speed: 1.2}}
"""
    )
    assert loaded.problems == ()
    agent = loaded.agent
    assert agent is not None
    one, two, three = agent.sources
    assert (one.base_url, one.api_key) == ("wss://one.example.com/v1", "sk-a")
    assert (two.base_url, two.api_key, two.connect_timeout_s) == (
        "wss://two.example.com/v1",
        "sk-b",
        2.0,
    )
    assert (three.model.model, three.format) == ("other", "pcm16")
    assert config_of(agent).voice == "sage"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "{api: openai_realtim, base_url: rehearsal}",
            "bot.yaml:1:7: api: there is no API 'openai_realtim'\n"
            "    fix: did you mean openai_realtime?",
        ),
        (
            "{base_url: rehearsal, fallback: [{base_url: rehearsal, session: {speed: 9}}]}",
            "bot.yaml:1:73: fallback[0].session.speed: should be less than or equal to 1.5, got 9",
        ),
        (
            "{base_url: rehearsal, fallback: [{api_key: sk-live-1}]}",
            "bot.yaml:1:44: fallback[0].api_key: a secret must not be written into a file\n"
            "    fix: set an environment variable and write ${ITS_NAME}",
        ),
        (
            "{base_url: rehearsal, fallback: [{model: x}]}",
            "bot.yaml:1:34: fallback[0]: wss://api.openai.com/v1 needs a key\n"
            "    fix: add api_key: ${OPENAI_API_KEY}",
        ),
        (
            "{base_url: rehearsal, fallback: [{base_url: rehearsal, instructions: x}]}",
            "bot.yaml:1:56: fallback[0].instructions: unknown key 'instructions'\n"
            "    fix: known here: api, api_key, base_url, connect_timeout_s, model, "
            "model_format, price, session, voice",
        ),
    ],
)
def test_a_mistake_in_a_model_is_told_at_its_place(text: str, problem: str) -> None:
    loaded = load(text)
    assert loaded.agent is None
    assert [str(found) for found in loaded.problems] == [problem]


def test_openai_live() -> None:
    loaded = load(
        'api: openai_live\napi_key: "${KEY_A}"\nvoice: quartz\n'
        "session: {delegation: {type: responses, responses: {model: gpt-5.5}}}\n"
    )
    assert loaded.problems == ()
    assert loaded.agent is not None
    source = loaded.agent.source
    assert (source.base_url, source.api_key) == ("wss://api.openai.com/v1", "sk-a")
    dialect = source.new_dialect(Brief(), PCMA, Ids.seeded(1))
    assert dialect.url(source.base_url) == "wss://api.openai.com/v1/live/sessions"
    assert dialect.request_headers("sk-a") == {"Authorization": "Bearer sk-a"}
    assert dialect.input_format == PCMA
    assert dialect.traits.prebuffer_ms == 80


def test_openai_live_on_azure() -> None:
    base_url = "https://x.openai.azure.com/openai/v1"
    loaded = load(
        f'api: azure_openai_live\nbase_url: {base_url}\napi_key: "${{KEY_A}}"\nmodel: mine\n'
        "session: {delegation: {type: responses, responses: {model: gpt-5.5}}}\n"
    )
    assert loaded.agent is not None
    source = loaded.agent.source
    dialect = source.new_dialect(Brief(), PCMA, Ids.seeded(1))
    assert dialect.url(base_url) == "wss://x.openai.azure.com/openai/v1/live/sessions"
    assert dialect.request_headers("sk-a") == {"api-key": "sk-a"}
    assert dialect.input_format == L16_24K
    assert source.model.model == "mine"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "{api: openai_live, base_url: rehearsal, voice: alic}",
            "bot.yaml:1:48: voice: unknown voice 'alic'",
        ),
        (
            "{api: openai_live, base_url: rehearsal, session: {delegation: {type: decisions}}}",
            "bot.yaml:1:63: session.delegation: its type is missing or unknown",
        ),
        (
            "{api: openai_live, base_url: rehearsal, session: {turn_detection: null}}",
            "bot.yaml:1:51: session.turn_detection: unknown key",
        ),
        (
            "{api: openai_live, base_url: rehearsal, session: {legal_notice: no.wav}}",
            "bot.yaml:1:65: session.legal_notice: no.wav cannot be read: no such file or directory",
        ),
        (
            "{api: azure_openai_live}",
            "bot.yaml:1:1: Azure OpenAI Live needs a base_url",
        ),
    ],
)
def test_mistakes_in_an_agent_on_openai_live(text: str, problem: str) -> None:
    loaded = load(text)
    assert loaded.agent is None
    [found] = loaded.problems
    assert str(found).startswith(problem)


def test_an_api_without_a_built_in_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_reader, "REHEARSALS", {})
    [problem] = load("{api: openai_live, base_url: rehearsal}").problems
    assert "there is no built-in model of OpenAI Live" in str(problem)


def test_what_lacks_is_named_with_the_line_of_what_should_hold_it() -> None:
    loaded = load("api: azure_openai\nbase_url: wss://x.example\napi_key: ${KEY_A}\n")
    assert [str(found) for found in loaded.problems] == [
        "bot.yaml:1:1: model: is required\n    fix: add model: ..."
    ]
    loaded = load("api: gemini_vertex\nbase_url: wss://x.example\nsession: {location: a}\n")
    assert [str(found) for found in loaded.problems][:1] == [
        "bot.yaml:3:10: session.project: is required\n    fix: add project: ..."
    ]


def test_a_rehearsal_needs_no_key_but_none_may_be_written_down() -> None:
    assert load("{base_url: rehearsal, api_key: '${NOT_SET}'}").missing == ()
    assert len(load("{base_url: rehearsal, api_key: sk-live-1}").problems) == 1


def test_prices_of_the_settings_stand_in_for_known_ones() -> None:
    Path("bot.yaml").write_text("{base_url: rehearsal, model: own}", encoding="utf-8")
    spend = Spend(call_usd=1.0, prices={"own": Price(minute=1.0), "heard": Price(minute=2.0)})
    agent = load_agent(Path("bot.yaml"), Settings(spend=spend), KEYS).agent
    assert agent is not None
    assert agent.source.price == Price(minute=1.0)
    assert agent.source.price_of("heard") == Price(minute=2.0)
    assert agent.source.price_of("gpt-transcribe") == PRICES["gpt-transcribe"]


def test_a_limit_that_a_model_without_a_price_escapes_is_doubted() -> None:
    model = "base_url: wss://x.example, api_key: '${KEY_A}', model: other"
    warnings = load(f"{{{model}, spend: {{call_usd: 1.0}}}}").warnings
    assert [warning.message for warning in warnings] == [
        "what other costs is not known: it counts towards no limit of spend"
    ]
    assert load(f"{{{model}, spend: {{call_usd: 1.0}}, price: {{minute: 1.0}}}}").warnings == ()
    assert load(f"{{{model}}}").warnings == ()


def test_a_mistake_in_a_model_is_not_told_again_for_each_language() -> None:
    loaded = load("{base_url: rehearsal, fallback: [{api_key: sk-live-1}], languages: {en: {}}}")
    assert [problem.key for problem in loaded.problems] == ["fallback[0].api_key"]


def test_what_is_refused_in_one_language_is_refused_in_the_other() -> None:
    loaded = load(
        """\
base_url: wss://one.example.com/v1
api_key: ${KEY_A}
languages:
  en: {voice: sage}
  es: {voice: coral}
session: {project: proj_1}
fallback:
  - {base_url: wss://one.example.com/v1, api_key: "${KEY_A}", session: {project: proj_2}}
"""
    )
    assert loaded.problems == ()
    agent = loaded.agent
    assert agent is not None
    english, spanish = (agent.in_language(tag) for tag in ("en", "es"))
    breakers = ModelBreakers(lambda: 0.0)
    breakers.refused(english.source, of_account=True)
    assert not breakers.allows(spanish.source)
    # Another project may have money.
    assert breakers.allows(spanish.fallbacks[0])


def test_the_keys_of_services_beside_the_model_are_part_of_the_account() -> None:
    loaded = load(
        """\
api: cascade
api_key: ${KEY_A}
model: claude-haiku-4-5
session:
  stt: {type: deepgram, api_key: "${KEY_B}"}
  tts: {type: elevenlabs, voice: ann, api_key: "${KEY_A}"}
"""
    )
    assert loaded.problems == ()
    assert loaded.agent is not None
    assert loaded.agent.source.credentials == ("sk-b", "sk-a")
