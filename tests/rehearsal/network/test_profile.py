from __future__ import annotations

import pytest
from pydantic import ValidationError

from telephony.rehearsal.network.profile import Profile, shipped_profile, shipped_profiles

CALM = {"about": "calm", "delay": {"shape": "constant", "mean_ms": 5}}


def test_the_shipped_profiles_each_have_one_line_about_them() -> None:
    profiles = shipped_profiles()
    assert list(profiles) == [
        "clean",
        "wifi",
        "mobile-good",
        "mobile-bad",
        "satellite",
        "congested",
        "voip-vpn",
        "bursty-loss",
    ]
    assert all(0 < len(profile.about) < 90 for profile in profiles.values())
    assert not any("\n" in profile.about for profile in profiles.values())


def test_an_unknown_name_gets_a_fix() -> None:
    with pytest.raises(ValueError, match=r"no network 'mobilebad'; did you mean mobile-bad\?"):
        shipped_profile("mobilebad")
    with pytest.raises(ValueError, match="known here: bursty-loss, clean, congested"):
        shipped_profile("x25")


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss_percent": 101},
        {"loss_percent": -1},
        {"delay": {"shape": "gamma", "mean_ms": 5}},
        {"delay": {"shape": "pareto", "min_ms": 9, "scale_ms": 1, "alpha": 2, "max_ms": 8}},
        {"stalls": {"every_s": 0, "lasting_ms": 100}},
        {"loss_bursts": {"begin_percent": 1, "end_percent": 0}},
        {"rate": {"kbps": 0, "queue_ms": 100}},
        {"drift_ppm": 20_000},
        {"jitter": 5},
    ],
)
def test_what_no_network_does_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Profile.model_validate({**CALM, **wrong})
