from __future__ import annotations

import pytest

from telephony.turns.policy import BargeInPolicy


@pytest.mark.parametrize(
    ("mode", "local", "server"),
    [
        ("both", True, True),
        ("local", True, False),
        ("server", False, True),
        ("off", False, False),
    ],
)
def test_modes(mode, local: bool, server: bool) -> None:
    policy = BargeInPolicy(mode=mode)
    assert (policy.obeys_local, policy.obeys_server) == (local, server)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "sometimes"},
        {"min_speech_ms": -1},
        {"ignore_first_ms": -1},
        {"false_interruption_ms": -1},
    ],
)
def test_nonsense_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        BargeInPolicy(**wrong)
