from __future__ import annotations

from dataclasses import astuple

from telephony.rtp.frames import JitterConfig
from telephony.rtp.session_config import RtpSessionConfig, SessionStats


def test_a_session_is_that_of_a_telephone_unless_told_otherwise() -> None:
    config = RtpSessionConfig({0: "pcmu"}, 0)
    assert (config.clock_rate_hz, config.event_clock_rate_hz, config.ptime_ms) == (8000, 8000, 20)
    assert dict(config.formats) == {}
    assert config.jitter == JitterConfig()
    assert (config.remote, config.latch) == (None, "any")


def test_nothing_is_counted_at_first() -> None:
    assert set(astuple(SessionStats())) == {0}
