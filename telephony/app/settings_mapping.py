"""From settings to what each part of the bot is configured with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from telephony.app.settings import Limits, Media, Processing, Security, Settings, Sip, Tls
from telephony.app.spend_settings import Spend
from telephony.app.turn_settings import BargeIn, Digits, Silence, Vad
from telephony.audio.codecs import FACES
from telephony.audio.processing import ProcessingConfig
from telephony.audio.vad import VadConfig
from telephony.calls.keypad import KeypadConfig
from telephony.calls.services import CallLimits, OutboundLine
from telephony.calls.spend import SpendLimits
from telephony.net.tls import TlsConfig
from telephony.rtp.frames import JitterConfig
from telephony.sip.admission import AdmissionConfig
from telephony.sip.config import MessageLimits, TimerConfig, UserAgentConfig
from telephony.sip.flow import Address, Transport
from telephony.sip.source_guard import GuardConfig
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.media_config import DigitTiming, MediaConfig, MediaHost, RtcpPolicy
from telephony.stacks.trunk import Trunk
from telephony.stacks.trunks.directory import TrunkDirectory
from telephony.turns.policy import BargeInPolicy
from telephony.turns.silence import SilencePolicy

OPEN_MESSAGES_PER_S = 2000.0
OPEN_BURST_MESSAGES = 4000.0
"""What one source may send while strangers are accepted."""


def to_timer_config(sip: Sip) -> TimerConfig:
    return TimerConfig(t1_s=sip.t1_ms / 1000, t2_s=sip.t2_ms / 1000, t4_s=sip.t4_ms / 1000)


def to_message_limits(sip: Sip) -> MessageLimits:
    default = MessageLimits()
    size = sip.max_message_bytes
    return MessageLimits(
        max_message_bytes=size,
        max_header_bytes=min(size, default.max_header_bytes),
        max_body_bytes=min(size, default.max_body_bytes),
        max_line_bytes=min(size, default.max_line_bytes),
    )


def to_user_agent_config(sip: Sip, advertised: Mapping[Transport, Address]) -> UserAgentConfig:
    """``advertised``: host and port that Contact and Via name, per transport."""
    return UserAgentConfig(
        advertised=advertised,
        product=sip.user_agent,
        symmetric_signalling=sip.symmetric_signalling,
        timers=to_timer_config(sip),
        limits=to_message_limits(sip),
        ring_timeout_s=sip.ring_timeout_s,
        session_expires_s=sip.session_expires_s,
        min_session_expires_s=sip.min_session_expires_s,
        reliable_provisional=sip.reliable_provisional,
    )


def to_tls_config(tls: Tls) -> TlsConfig:
    return TlsConfig(
        certificate=_path(tls.certificate),
        private_key=_path(tls.private_key),
        ca=_path(tls.ca),
        verify_client=tls.verify_client,
        verify_server=tls.verify_server,
        allow_wildcards=tls.allow_wildcards,
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def to_guard_config(security: Security, some_are_known: bool) -> GuardConfig:
    """A bot that takes calls from anybody can't tell a proxy with many calls from a flood."""
    open_to_all = unknown_sources(security, some_are_known) == "accept"
    default = GuardConfig()
    rate, burst = default.messages_per_s, default.burst_messages
    if open_to_all:
        rate, burst = OPEN_MESSAGES_PER_S, OPEN_BURST_MESSAGES
    return GuardConfig(
        enabled=security.guard,
        messages_per_s=security.messages_per_s or rate,
        burst_messages=security.burst_messages or burst,
        ban_s=security.ban_s,
        max_ban_s=security.max_ban_s,
        max_sources=security.max_sources,
        trusted=tuple(ip_network(text) for text in security.never_ban),
    )


def to_admission_config(security: Security, directory: TrunkDirectory) -> AdmissionConfig:
    """The trunks are let in, and so is whoever calls from an address that we call."""
    return AdmissionConfig(
        peers=tuple(directory.peers()),
        trusted=tuple(directory.servers()),
        unknown=unknown_sources(security, directory.identifies_peers),
        realm=security.realm,
    )


def unknown_sources(
    security: Security, some_are_known: bool
) -> Literal["accept", "reject", "drop"]:
    """Return what strangers get; ``auto`` shuts them out once a trunk says who may call."""
    if security.unknown_sources != "auto":
        return security.unknown_sources
    return "drop" if some_are_known else "accept"


def to_jitter_config(media: Media) -> JitterConfig:
    jitter = media.jitter
    return JitterConfig(
        min_ms=jitter.min_ms,
        start_ms=jitter.start_ms,
        max_ms=jitter.max_ms,
        drop_over_ms=jitter.drop_over_ms,
        follow_sender=jitter.follow_sender,
        ptime_ms=media.ptime_ms,
    )


def to_rtcp_policy(media: Media) -> RtcpPolicy:
    return RtcpPolicy(**media.rtcp.model_dump())


def to_processing_config(
    processing: Processing, own: Mapping[str, str | None] | None = None
) -> ProcessingConfig:
    """``own``: the keys of a trunk that are not those of the settings; None leaves one alone."""
    words = processing.model_dump()
    words |= {key: word for key, word in (own or {}).items() if word is not None}
    return ProcessingConfig(
        echo_cancellation=words["echo_cancellation"] == "on",
        noise_suppression=words["noise_suppression"],
        gain_control=words["gain_control"] == "on",
    )


def to_media_policy(media: Media) -> MediaPolicy:
    """Return what is negotiated with, and heard of, peers that are no trunk."""
    return MediaPolicy(srtp=media.srtp, processing=to_processing_config(media.processing))


def media_host(settings: Settings) -> str:
    """Return the address that RTP sockets bind: the first of SIP unless media has its own."""
    return settings.media.host or settings.sip.host[0]


def to_media_config(settings: Settings, advertised_host: str | None) -> MediaConfig:
    """``advertised_host``: the address that SDP names, None for the one that faces the peer."""
    media = settings.media
    host = media_host(settings)
    others = () if media.host is not None else settings.sip.host[1:]
    more_hosts = tuple(MediaHost(other) for other in others)
    return MediaConfig(
        host=host,
        advertised_host=advertised_host,
        codecs=tuple(media.codecs),
        ptime_ms=media.ptime_ms,
        telephone_event=media.telephone_event,
        comfort_noise=media.comfort_noise,
        dtmf=media.dtmf,
        digit_timing=DigitTiming(media.dtmf_tone_ms, media.dtmf_gap_ms),
        send_silence=media.send_silence,
        latch=media.latch,
        more_hosts=more_hosts,
        jitter=to_jitter_config(media),
        rtcp=to_rtcp_policy(media),
    )


def to_outbound_line(media: Media, trunks: Sequence[Trunk]) -> OutboundLine:
    """Return the line that the first codec of the first of ``trunks`` is made for."""
    codecs = (trunks[0].media.codecs if trunks else None) or media.codecs
    face = FACES[codecs[0]]
    return OutboundLine(face.encoding, face.sample_rate_hz, media.ptime_ms)


def to_call_limits(limits: Limits, media: Media) -> CallLimits:
    return CallLimits(
        max_call_s=limits.max_call_s,
        media_timeout_s=media.timeout_s or math.inf,
        setup_timeout_s=limits.setup_timeout_s,
        retry_after_s=limits.retry_after_s,
    )


def to_vad_config(vad: Vad, ptime_ms: int) -> VadConfig:
    """The detector sees one frame per ptime."""
    return VadConfig(frame_ms=ptime_ms, **vad.model_dump())


def to_barge_in_policy(barge_in: BargeIn) -> BargeInPolicy:
    return BargeInPolicy(**barge_in.model_dump(exclude={"latency_ms"}))


def to_keypad_config(digits: Digits) -> KeypadConfig:
    return KeypadConfig(**digits.model_dump())


def to_silence_policy(silence: Silence) -> SilencePolicy | None:
    if not silence.enabled:
        return None
    return SilencePolicy(**silence.model_dump(exclude={"enabled"}))


def to_spend_limits(spend: Spend) -> SpendLimits:
    return SpendLimits(spend.call_usd, spend.day_usd)
