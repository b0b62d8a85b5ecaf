from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.preflight import Configuration, load_configuration
from telephony.base.errors import ConfigError

SECRET = "whsec_c2VjcmV0IG9mIHRoZSByZWhlYXJzYWw="
ENVIRON = {"KEY": "sk-1", "HOOK": SECRET, "TOKENS": "a-secret-of-32-characters-or-so-"}
HOSTED = "hosted_sip: {enabled: true, secrets: ['${HOOK}'], api_key: '${KEY}'}\n"
TOKENS = "tokens: {enabled: true, secrets: ['${TOKENS}'], agents: [bot]}\n"
BOT = "api_key: ${KEY}\n"

DIALPLAN = """\
contexts:
  main:
    - name: hosted
      when: {trunk: openai}
      do: [connect_model: bot]
    - name: rest
      do: [play: "tone:busy", connect_model: bot]
"""


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("config", "config/agents", "config/trunks", "dialplans"):
        (tmp_path / name).mkdir()
    write(tmp_path, settings=HOSTED)
    (tmp_path / "config/agents/bot.yaml").write_text(BOT)
    (tmp_path / "config/agents/built_in.yaml").write_text("base_url: rehearsal\n")
    (tmp_path / "dialplans/main.yaml").write_text(DIALPLAN)
    return tmp_path


def write(root: Path, *, settings: str = "", bot: str = "", plan: str = "") -> None:
    if settings:
        text = "dialplan: {dir: ../dialplans}\n" + settings
        (root / "config/telephony.yaml").write_text(text)
    if bot:
        (root / "config/agents/bot.yaml").write_text(bot)
    if plan:
        (root / "dialplans/main.yaml").write_text(plan)


def load(**environ: str) -> Configuration:
    return load_configuration(None, {**ENVIRON, **environ})


def problems(**environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(**environ)
    return [str(problem).replace("\n    fix: ", " | ") for problem in caught.value.problems]


def test_a_good_configuration_and_what_it_leaves_in_doubt(root: Path) -> None:
    warnings = [str(warning).replace("\n    fix: ", " | ") for warning in load().warnings]
    assert warnings == [
        "dialplans/main.yaml:6:1: contexts.main.rest: a hosted call that comes here is rejected: "
        "play needs the audio of the call, which OpenAI has"
        " | add another extension with trunk: openai before it",
    ]


def test_what_needs_audio_is_impossible_for_the_trunk(root: Path) -> None:
    plan = DIALPLAN.replace("do: [connect_model: bot]", "do: [record, connect_model: bot]", 1)
    write(root, plan=plan)
    assert (
        "dialplans/main.yaml:3:1: contexts.main.hosted: record needs the audio of the call, "
        "which OpenAI has | remove it, or the trunk openai"
    ) in problems()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("pre_answer, connect_model: bot", "pre_answer needs the audio"),
        ("transfer: {to: '+15550123', mode: attended}", "an attended transfer needs the audio"),
        ("transfer: {to: '+15550123', trunks: openai}", "nobody can be called over 'openai'"),
    ],
)
def test_other_actions(action: str, message: str, root: Path) -> None:
    write(root, plan=DIALPLAN.replace("connect_model: bot", action, 1))
    assert any(message in problem for problem in problems())


def test_a_key_that_travels_unencrypted(root: Path) -> None:
    write(root, settings=HOSTED.replace("enabled", "base_url: 'http://api.example/v1', enabled"))
    assert any("the key travels unencrypted" in str(warning) for warning in load().warnings)


AZURE = "base_url: https://x.openai.azure.com/openai/v1"


@pytest.mark.parametrize(
    ("base_url", "bot", "message"),
    [
        ("", f"api: azure_openai\nmodel: m\n{AZURE}\n{BOT}", "calls are OpenAI's"),
        (f"{AZURE}, ", BOT, "calls are Azure's"),
        ("", BOT, None),
        (f"{AZURE}, ", f"api: azure_openai\nmodel: m\n{AZURE}\n{BOT}", None),
        ("base_url: 'http://127.0.0.1:8766/v1', ", BOT, None),
        (f"{AZURE}, ", "base_url: rehearsal\n", None),
    ],
)
def test_calls_of_one_provider_and_a_model_of_another(
    base_url: str, bot: str, message: str | None, root: Path
) -> None:
    write(root, settings=HOSTED.replace("enabled", f"{base_url}enabled"), bot=bot)
    found = [str(w) for w in load().warnings if "the model is" in str(w)]
    assert len(found) == (0 if message is None else 1)
    assert all(message in text and "bot.yaml:1:" in text for text in found if message)


def test_mistakes_of_a_file_are_told_from_the_top(root: Path) -> None:
    bot = BOT + "tools: [pause_recording]\nbarge_in: {mode: local}\ntransfers:\n"
    write(root, bot=bot + "  sales: {to: '+15550123', mode: attended}\n")
    lines = [int(problem.split(":")[1]) for problem in problems()]
    assert lines == [2, 3, 5]


REST = DIALPLAN.replace("{trunk: openai}", "{called: '1'}").replace('play: "tone:busy", ', "")
"""Hosted calls may come to the agent, but no extension is for them."""

SENDS_DIGITS = "tools: [send_digits]\n"
LIVE = "api: openai_live\nmodel: gpt-live-1.1\n" + BOT
OUTPUT = "guardrails: {rules: [{name: prices, side: output, phrases: [price]}]}\n"


def test_what_an_agent_has_in_vain_is_a_mistake_where_hosted_calls_come_to_it(root: Path) -> None:
    write(root, bot=BOT + SENDS_DIGITS)
    assert problems() == [
        "config/agents/bot.yaml:2:8: tools: 'bot' takes calls that OpenAI answers: there is no "
        "send_digits: only OpenAI Live has a word for it | remove it, or choose a Live model"
    ]
    write(root, plan=REST)
    assert [str(warning).partition("\n")[0] for warning in load().warnings] == [
        "config/agents/bot.yaml:2:8: tools: on hosted calls there is no send_digits: "
        "only OpenAI Live has a word for it"
    ]


@pytest.mark.parametrize(
    ("bot", "problem"),
    [
        (
            LIVE + OUTPUT,
            "config/agents/bot.yaml:4:22: guardrails.rules[0]: 'bot' takes calls that OpenAI "
            "answers: OpenAI Live can't be cut off, so that rule 'prices' could not hold"
            " | remove it, or choose a Realtime model",
        ),
        (
            LIVE + "handoffs: {built_in: {}}\n",
            "config/agents/bot.yaml:4:11: handoffs: 'bot' takes calls that OpenAI answers: there "
            "are no handoffs: instructions of OpenAI Live are those of its start"
            " | remove them, or choose a Realtime model",
        ),
        (
            BOT + "session: {turn_detection: null}\n",
            "config/agents/bot.yaml:2:27: session.turn_detection: 'bot' takes calls that OpenAI "
            "answers: nobody but OpenAI hears the caller, so that no turn of theirs would ever end"
            " | remove session.turn_detection: null",
        ),
        (
            BOT + "transfers: {boss: {to: '+15550123', mode: attended}}\n",
            "config/agents/bot.yaml:2:19: transfers.boss: 'bot' takes calls that OpenAI answers: "
            "transfer 'boss' is attended, which needs the audio of the call"
            " | write mode: blind, or remove it",
        ),
    ],
)
def test_file_line_key_and_fix(bot: str, problem: str, root: Path) -> None:
    write(root, bot=bot)
    assert problems() == [problem]


def test_a_call_is_rejected_rather_than_taken_without_its_rules(root: Path) -> None:
    write(root, bot=LIVE + OUTPUT, plan=REST)
    texts = [str(warning) for warning in load().warnings]
    message = "a hosted call that comes here is rejected: agent 'bot' can't take it: OpenAI Live"
    assert any(message in text for text in texts)


def test_agents_that_calls_are_handed_to_are_looked_at_too(root: Path) -> None:
    write(root, bot=BOT + "handoffs: {billing: {}}\n")
    (root / "config/agents/billing.yaml").write_text(BOT + SENDS_DIGITS + "voice: cedar\n")
    (problem,) = problems()
    assert problem.startswith("config/agents/billing.yaml:2:8: tools:")
    (root / "config/agents/billing.yaml").write_text(BOT + "voice: cedar\n")
    texts = [str(warning) for warning in load().warnings]
    assert any("'billing' speaks with the voice of 'bot'" in text for text in texts)


def test_a_trunk_of_that_name_is_one_too_many(root: Path) -> None:
    (root / "config/trunks/openai.yaml").write_text("servers: 192.0.2.7\n")
    assert any("a trunk is called 'openai' already" in problem for problem in problems())


def test_without_hosted_calls_the_name_is_no_trunk(root: Path) -> None:
    write(root, settings="{}\n".replace("{}", "log: {level: info}"))
    assert any("when.trunk: no trunks are configured" in problem for problem in problems())


def test_hosted_calls_that_are_off_may_be_what_was_meant(root: Path) -> None:
    write(root, settings=HOSTED.replace("true", "false"))
    (problem,) = problems()
    assert problem.endswith(
        "no trunks are configured | write hosted_sip: {enabled: true} for calls that OpenAI "
        "answers; else write config/trunks/<name>.yaml, or remove this"
    )
    (root / "config/trunks/carrier.yaml").write_text("servers: 192.0.2.7\n")
    (problem,) = problems()
    assert "no trunk 'openai' | write hosted_sip: {enabled: true}" in problem


def test_secrets_that_are_missing_or_no_good(root: Path) -> None:
    (problem,) = problems(HOOK="")
    assert "hosted_sip.secrets" in problem
    assert "HOOK is not set" in problem
    (problem,) = problems(HOOK="whsec_???")
    assert "no base64" in problem
    assert "???" not in problem
    write(root, settings="hosted_sip: {enabled: true}\n")
    assert [problem.partition(": ")[2] for problem in problems()] == [
        "hosted_sip: nobody could be told from a stranger | add secrets: ${VARIABLE}",
        "hosted_sip: calls can't be accepted without a key | add api_key: ${OPENAI_API_KEY}",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("http: {port: null}\n" + HOSTED, "there is no port for it"),
        (HOSTED.replace("enabled", "port: 8080, enabled"), "http has this port already"),
        (HOSTED.replace("enabled", "port: 8443, tls: true, enabled"), "TLS needs a certificate"),
        (HOSTED.replace("enabled", "tls: true, enabled"), "TLS needs a port of its own"),
        (HOSTED.replace("enabled", "path: hooks, enabled"), "is no path"),
        (
            HOSTED.replace("enabled", "base_url: api.openai.com, enabled"),
            "this is no URL of an API",
        ),
        (HOSTED.replace("enabled", "region: XX, enabled"), "is no region"),
        (HOSTED.replace("'${HOOK}'", "whsec_abc"), "a secret must not be written into a file"),
        (
            HOSTED.replace("enabled", "port: 8443, enabled")
            + TOKENS.replace("enabled", "port: 8443, tls: true, enabled"),
            "one port can't have TLS and not have it",
        ),
        (TOKENS.replace("[bot]", "[]"), "there are no agents to have tokens for"),
        (TOKENS.replace("[bot]", "[bat]"), "there is no agent 'bat' | did you mean bot?"),
        (TOKENS.replace("[bot]", "[built_in]"), "the built-in model gives no tokens"),
        (
            TOKENS.replace("enabled", "allowed_origins: ['https://a.example/x'], enabled"),
            "is no origin",
        ),
        (TOKENS.replace("enabled", "expires_s: 9, enabled"), "expires_s"),
    ],
)
def test_settings_that_can_not_be(settings: str, message: str, root: Path) -> None:
    plan = (
        DIALPLAN
        if "hosted_sip" in settings
        else DIALPLAN.replace("{trunk: openai}", "{called: '1'}")
    )
    write(root, settings=settings, plan=plan)
    assert any(message in problem for problem in problems())


def test_tokens_need_a_secret_that_can_not_be_guessed(root: Path) -> None:
    write(root, settings=HOSTED + TOKENS)
    load()
    (problem,) = problems(TOKENS="short")
    assert "is shorter than 16" in problem
    assert "short " not in problem.partition("is shorter")[0]


def test_the_key_of_an_agent_with_tokens_has_to_be_there(root: Path) -> None:
    write(root, settings=HOSTED + TOKENS, bot="api_key: ${BOT_KEY}\n")
    found = problems()
    assert any("BOT_KEY is not set" in problem for problem in found)
    assert not any("tokens are had with an api_key" in problem for problem in found)
