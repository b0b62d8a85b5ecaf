from __future__ import annotations

from dataclasses import fields

import pytest

from telephony.app import settings_mapping as mapping
from telephony.app.settings import Media, Settings, Silence
from telephony.audio.codecs import FACES
from telephony.audio.format import Codec
from telephony.audio.processing import ProcessingConfig
from telephony.audio.vad import VadConfig
from telephony.calls.keypad import KeypadConfig
from telephony.calls.services import CallLimits, OutboundLine
from telephony.rtp.frames import JitterConfig
from telephony.sip.config import MessageLimits, TimerConfig, UserAgentConfig
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.media_config import DigitTiming, MediaConfig, RtcpPolicy
from telephony.stacks.trunk import Trunk
from telephony.turns.policy import BargeInPolicy
from telephony.turns.silence import SilencePolicy

DEFAULTS = Settings()


def test_peers_that_are_no_trunk_are_processed_as_the_settings_say() -> None:
    values = {"srtp": "optional", "processing": {"noise_suppression": "high"}}
    media = Settings.model_validate({"media": values}).media
    assert mapping.to_media_policy(media) == MediaPolicy(
        srtp="optional", processing=ProcessingConfig(noise_suppression="high")
    )


def test_the_defaults_of_the_settings_are_those_of_the_parts() -> None:
    media = DEFAULTS.media
    assert mapping.to_timer_config(DEFAULTS.sip) == TimerConfig()
    assert mapping.to_message_limits(DEFAULTS.sip) == MessageLimits()
    assert mapping.to_user_agent_config(DEFAULTS.sip, {}) == UserAgentConfig()
    assert mapping.to_jitter_config(media) == JitterConfig()
    assert mapping.to_media_config(DEFAULTS, None) == MediaConfig(
        host="0.0.0.0", latch="signalled_host"
    )
    assert mapping.to_call_limits(DEFAULTS.limits, media) == CallLimits()
    assert mapping.to_vad_config(DEFAULTS.vad, media.ptime_ms) == VadConfig()
    assert mapping.to_barge_in_policy(DEFAULTS.barge_in) == BargeInPolicy()
    assert mapping.to_keypad_config(DEFAULTS.digits) == KeypadConfig()
    assert mapping.to_silence_policy(Silence(enabled=True)) == SilencePolicy()


def test_every_setting_reaches_its_part() -> None:
    settings = Settings.model_validate(
        {
            "sip": {
                "host": "127.0.0.1",
                "t1_ms": 250,
                "t2_ms": 2000,
                "t4_ms": 2500,
                "user_agent": "bot",
                "max_message_bytes": 2000,
                "symmetric_signalling": False,
                "ring_timeout_s": 30.0,
            },
            "media": {
                "codecs": ["pcma"],
                "ptime_ms": 30,
                "append_ms": 90,
                "telephone_event": False,
                "comfort_noise": False,
                "dtmf": "info",
                "dtmf_tone_ms": 250,
                "dtmf_gap_ms": 120,
                "send_silence": False,
                "latch": False,
                "timeout_s": 5.0,
                "jitter": {"min_ms": 1, "start_ms": 2, "max_ms": 3, "drop_over_ms": 4},
                "rtcp": {"enabled": False, "interval_s": 7.5, "mux": "offer"},
            },
            "limits": {"max_call_s": 7.0, "setup_timeout_s": 8.0, "retry_after_s": 9},
            "vad": {"start_ms": 60, "stop_ms": 500},
            "barge_in": {"mode": "local", "latency_ms": 30},
            "digits": {
                "max_length": 4,
                "terminator": "*",
                "inter_digit_ms": 2000,
                "first_digit_ms": 9000,
            },
        }
    )
    agent = mapping.to_user_agent_config(settings.sip, {"udp": ("192.0.2.1", 5060)})
    assert agent.advertised == {"udp": ("192.0.2.1", 5060)}
    assert (agent.product, agent.symmetric_signalling, agent.ring_timeout_s) == ("bot", False, 30.0)
    assert agent.timers == TimerConfig(t1_s=0.25, t2_s=2.0, t4_s=2.5)
    assert agent.limits.max_message_bytes == agent.limits.max_header_bytes == 2000
    media = mapping.to_media_config(settings, "192.0.2.1")
    assert media == MediaConfig(
        host="127.0.0.1",
        advertised_host="192.0.2.1",
        codecs=("pcma",),
        ptime_ms=30,
        telephone_event=False,
        comfort_noise=False,
        dtmf="info",
        digit_timing=DigitTiming(250, 120),
        send_silence=False,
        latch="off",
        jitter=JitterConfig(min_ms=1, start_ms=2, max_ms=3, drop_over_ms=4, ptime_ms=30),
        rtcp=RtcpPolicy(enabled=False, interval_s=7.5, mux="offer"),
    )
    assert media.rtcp.negotiated_mux == "off"
    assert mapping.to_keypad_config(settings.digits) == KeypadConfig(4, "*", 2000, 9000)
    assert mapping.to_call_limits(settings.limits, settings.media) == CallLimits(7.0, 5.0, 8.0, 9)
    vad = mapping.to_vad_config(settings.vad, settings.media.ptime_ms)
    assert (vad.frame_ms, vad.start_ms, vad.stop_ms) == (30, 60, 500)
    assert mapping.to_barge_in_policy(settings.barge_in).mode == "local"


def test_media_may_have_a_host_of_its_own() -> None:
    settings = Settings.model_validate({"media": {"host": "127.0.0.1"}})
    assert mapping.media_host(settings) == "127.0.0.1"
    assert mapping.media_host(DEFAULTS) == "0.0.0.0"


def test_silence_is_watched_only_when_enabled() -> None:
    assert mapping.to_silence_policy(DEFAULTS.silence) is None


def test_each_field_of_the_parts_has_a_setting() -> None:
    assert {f.name for f in fields(VadConfig)} - {"frame_ms"} == set(
        type(DEFAULTS.vad).model_fields
    )
    assert {f.name for f in fields(BargeInPolicy)} - {"server_interrupts"} == set(
        type(DEFAULTS.barge_in).model_fields
    ) - {"latency_ms"}
    assert {f.name for f in fields(SilencePolicy)} == set(Silence.model_fields) - {"enabled"}


@pytest.mark.parametrize(
    ("codecs", "trunk_codecs", "line"),
    [
        (["pcmu"], None, ("pcmu", 8000)),
        (["g722", "pcmu"], None, ("l16", 16000)),
        (["pcmu"], ("opus", "pcmu"), ("l16", 24000)),
        (["opus"], ("pcma",), ("pcma", 8000)),
    ],
)
def test_a_call_that_is_placed_has_the_line_of_its_first_codec(
    codecs: list[Codec], trunk_codecs: tuple[Codec, ...] | None, line: tuple[str, int]
) -> None:
    media = Media(codecs=codecs, ptime_ms=10)
    trunks = [Trunk("pbx", media=MediaPolicy(codecs=trunk_codecs)), Trunk("other")]
    assert mapping.to_outbound_line(media, trunks) == OutboundLine(*line, 10)  # type: ignore[arg-type]
    face = FACES[codecs[0]]
    shown = mapping.to_outbound_line(media, [])
    assert (shown.encoding, shown.sample_rate_hz) == (face.encoding, face.sample_rate_hz)
