from __future__ import annotations

from telephony.app.model_apis import MODEL_APIS
from telephony.app.model_features import FEATURES, untitled


def test_every_api_is_in_the_table_and_every_feature_in_a_row() -> None:
    assert FEATURES.keys() == MODEL_APIS.keys()
    assert untitled() == []
