"""Which server a path means."""

from __future__ import annotations

import pytest

from telephony.realtime.openai_variants import OPENAI_SERVERS
from telephony.rehearsal.server_variant import OPENAI, SERVER_VARIANTS, variant_at


def test_a_rehearsal_can_stand_in_for_every_server():
    assert set(SERVER_VARIANTS) == set(OPENAI_SERVERS)


@pytest.mark.parametrize(
    ("path", "name", "rest"),
    [
        ("/v1/realtime", "openai_realtime", "/v1/realtime"),
        ("/xai/v1/realtime", "xai", "/v1/realtime"),
        ("/azure_openai/openai/v1/realtime", "azure_openai", "/openai/v1/realtime"),
        ("/nobody/v1/realtime", "openai_realtime", "/nobody/v1/realtime"),
        ("", "openai_realtime", ""),
    ],
)
def test_the_first_word_of_a_path_may_name_the_server(path: str, name: str, rest: str):
    variant, left = variant_at(path, OPENAI)
    assert (variant.name, left) == (name, rest)
