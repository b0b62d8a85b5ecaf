"""Configuration defaults are those of the RFC."""

from __future__ import annotations

from telephony.sip.config import MessageLimits, TimerConfig, UserAgentConfig


def test_defaults() -> None:
    timers = TimerConfig()
    assert (timers.t1_s, timers.t2_s, timers.t4_s, timers.give_up_s) == (0.5, 4.0, 5.0, 32.0)
    config = UserAgentConfig()
    assert config.symmetric_signalling
    assert config.limits == MessageLimits()
    # Timer C of proxies on the path is more than three minutes (section 16.6).
    assert config.ring_timeout_s <= 180
    assert config.provisional_refresh_s <= 60
