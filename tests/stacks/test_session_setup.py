from __future__ import annotations

from telephony.rtp.frames import JitterConfig
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.session_setup import session_config
from telephony.stacks.wire_codec import PAYLOAD_FORMATS
from tests.stacks.test_rtp_media import HOLD, PEER, negotiated

CONFIG = MediaConfig("192.0.2.1", ptime_ms=30, latch="off", jitter=JitterConfig(min_ms=40))


def test_what_was_agreed_on_and_what_is_set() -> None:
    media = negotiated(
        receive_payload_types={111: "opus"},
        send_payload_type=109,
        encoding="opus",
        telephone_event_payload_type=110,
        clock_rate_hz=48000,
        event_clock_rate_hz=48000,
    )
    config = session_config(CONFIG, media, "192.0.2.9")
    assert config.audio_payload_types == {111: "opus"}
    assert (config.send_payload_type, config.send_encoding) == (109, "opus")
    assert (config.telephone_event_payload_type, config.event_clock_rate_hz) == (110, 48000)
    assert (config.clock_rate_hz, config.ptime_ms) == (48000, 30)
    assert (config.remote, config.signalling_host) == (PEER, "192.0.2.9")
    assert (config.latch, config.jitter.min_ms) == ("off", 40)
    assert config.formats is PAYLOAD_FORMATS


def test_nothing_is_sent_to_a_peer_on_hold() -> None:
    config = session_config(CONFIG, HOLD, "")
    assert config.remote is None
    assert config.signalling_host is None
