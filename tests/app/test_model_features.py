from __future__ import annotations

from pathlib import Path

from telephony.app.model_apis import MODEL_APIS
from telephony.app.model_features import FEATURES, feature_rows, untitled
from telephony.app.stack_table import as_markdown, as_text


def test_every_api_is_in_the_table_and_every_feature_in_a_row() -> None:
    assert FEATURES.keys() == MODEL_APIS.keys()
    assert untitled() == []


def test_readme_has_the_very_table() -> None:
    readme = Path(__file__).parents[2] / "README.md"
    assert as_markdown(feature_rows()) in readme.read_text(encoding="utf-8")


def test_a_terminal_gets_columns() -> None:
    assert "gemini_live  " in as_text(feature_rows())
