from __future__ import annotations

from telephony.app.embedded_secrets import EmbeddedSecrets
from telephony.base.errors import Problem
from telephony.base.located_yaml import read_yaml


def read(text: str) -> tuple[dict[str, str], list[str], list[Problem]]:
    document = read_yaml(text, "bot.yaml")
    reported: list[str] = []
    missing: list[Problem] = []

    def report(path: object, message: str, fix: str, *, key: bool = False) -> None:
        reported.append(f"{path} {message}")

    secrets = EmbeddedSecrets(document, {"TOKEN": "t0ken", "ID": "7"}, report, missing)
    return secrets.read(document.data, ()), reported, missing


def test_references_may_stand_inside_of_a_value() -> None:
    values, reported, missing = read("Authorization: Bearer ${TOKEN}\nX-Id: a${ID}b${ID}\n")
    assert values == {"Authorization": "Bearer t0ken", "X-Id": "a7b7"}
    assert (reported, missing) == ([], [])


def test_values_that_must_not_be_read_in_a_log() -> None:
    document = read_yaml("A: Bearer ${TOKEN}\nB: ${ID} ${NOPE}\nC: plain\n", "bot.yaml")
    missing: list[Problem] = []
    environ = {"TOKEN": "t0ken", "ID": "7"}
    secrets = EmbeddedSecrets(document, environ, lambda *_, **__: None, missing)
    assert secrets.values_in(document.data) == {"t0ken"}
    assert missing == []


def test_what_the_environment_lacks_is_missing() -> None:
    _, reported, [missing] = read("X-Id: one\nX-Key: ${NOPE}\n")
    assert reported == []
    assert (missing.line, missing.fix) == (2, "export NOPE=...")


def test_a_secret_is_a_reference_and_is_not_repeated() -> None:
    _, [reported], _ = read("X-Api-Key: sk-123\nX-Id: plain\n")
    assert "must not be written into a file" in reported
    assert "sk-123" not in reported
