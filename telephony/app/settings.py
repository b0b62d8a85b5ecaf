"""The settings of the bot: one model per section of ``telephony.yaml``, every key with its default.

``config/telephony.yaml`` explains each key; :mod:`telephony.app.settings_sources` reads the file
and the environment into these models.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
)

from telephony.app.settings_types import (
    AdvertisedHost,
    Host,
    Hosts,
    Latch,
    Line,
    Ms,
    Networks,
    NoiseSuppressionWord,
    PathText,
    Port,
    PositiveMs,
    PositiveSeconds,
    RtcpMux,
    Seconds,
    SecretReference,
    Section,
    Server,
    SrtpMode,
    Switch,
    TimeZone,
    as_list,
    before,
    no_as,
)
from telephony.app.spend_settings import Spend
from telephony.app.turn_settings import BargeIn, Digits, Silence, Vad
from telephony.app.web_settings import HostedSip, Tokens
from telephony.audio.format import Codec
from telephony.audio.tones import Country
from telephony.base.interfaces import DigitMode
from telephony.calls.recording_encoders import RecordingFormat
from telephony.stacks.capabilities import StackName


class Sip(Section):
    host: Hosts = ["0.0.0.0"]
    udp_port: Port | None = 5060
    tcp_port: Port | None = 5060
    tls_port: Port | None = None
    advertised_host: AdvertisedHost | None = None
    stun_server: Server | None = None
    user_agent: Line = "telephony"
    t1_ms: PositiveMs = 500
    t2_ms: PositiveMs = 4000
    t4_ms: PositiveMs = 5000
    ring_timeout_s: PositiveSeconds = 180.0
    max_message_bytes: Annotated[int, Field(ge=1500, le=65535)] = 65535
    symmetric_signalling: bool = True
    session_expires_s: Annotated[int, Field(ge=0)] = 1800
    min_session_expires_s: Annotated[int, Field(ge=90)] = 90
    reliable_provisional: bool = True
    stack: StackName = "native"

    @field_validator("host")
    @classmethod
    def _each_host_once(cls, hosts: list[str]) -> list[str]:
        if len(set(hosts)) < len(hosts):
            raise ValueError("an address is listed twice")
        return hosts

    @field_validator("tls_port")
    @classmethod
    def _some_transport(cls, port: int | None, info: ValidationInfo) -> int | None:
        others = [info.data.get(name, 0) for name in ("udp_port", "tcp_port")]
        if port is None and others == [None, None]:
            raise ValueError("udp_port, tcp_port and tls_port are all null: no call could come in")
        if port and port == others[1]:
            raise ValueError("tcp_port has this port already")
        return port

    @field_validator("stun_server")
    @classmethod
    def _one_public_address(cls, server: str | None, info: ValidationInfo) -> str | None:
        if server is not None and before(info, "advertised_host") is not None:
            fix = "remove one of the two"
            raise ValueError(f"advertised_host says the public address already\nfix: {fix}")
        return server

    @field_validator("session_expires_s")
    @classmethod
    def _off_or_at_least_90(cls, value: int) -> int:
        # RFC 4028 section 4: shorter intervals are refused by everybody.
        if 0 < value < 90:
            raise ValueError("session_expires_s must be 0 (off) or at least 90")
        return value

    @field_validator("t2_ms")
    @classmethod
    def _t2_not_below_t1(cls, t2_ms: int, info: ValidationInfo) -> int:
        t1_ms = before(info, "t1_ms")
        if t1_ms is not None and t2_ms < t1_ms:
            raise ValueError(f"t2_ms must not be below t1_ms, which is {t1_ms}")
        return t2_ms


class Tls(Section):
    certificate: PathText | None = None
    private_key: PathText | None = None
    ca: PathText | None = None
    verify_client: Annotated[Literal["no", "optional", "required"], no_as("no")] = "no"
    verify_server: bool = True
    allow_wildcards: bool = False


class Security(Section):
    unknown_sources: Literal["auto", "accept", "reject", "drop"] = "auto"
    guard: bool = True
    messages_per_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    burst_messages: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    ban_s: PositiveSeconds = 300.0
    max_ban_s: PositiveSeconds = 86_400.0
    max_sources: Annotated[int, Field(ge=100)] = 20_000
    never_ban: Networks = []
    realm: Line = "telephony"

    @field_validator("max_ban_s")
    @classmethod
    def _ban_grows(cls, value: float, info: ValidationInfo) -> float:
        ban_s = before(info, "ban_s")
        if ban_s is not None and value < ban_s:
            raise ValueError(f"max_ban_s must not be below ban_s, which is {ban_s:g}")
        return value


class Identity(Section):
    roots: PathText | None = None
    max_age_s: Annotated[int, Field(ge=1, le=3600)] = 60
    fetch_timeout_s: PositiveSeconds = 3.0
    allowed_hosts: Annotated[list[Line], BeforeValidator(as_list), Field(min_length=1)] = ["*"]


class Jitter(Section):
    min_ms: PositiveMs = 5
    start_ms: PositiveMs = 40
    max_ms: Annotated[int, Field(ge=1, le=2000)] = 160
    drop_over_ms: Annotated[int, Field(ge=1, le=4000)] = 400
    follow_sender: bool = True

    @field_validator("start_ms", "max_ms", "drop_over_ms")
    @classmethod
    def _ascending(cls, value: int, info: ValidationInfo) -> int:
        names = list(cls.model_fields)
        smaller = names[names.index(info.field_name or "") - 1]
        lower = before(info, smaller)
        if lower is not None and value < lower:
            raise ValueError(f"{info.field_name} must not be below {smaller}, which is {lower}")
        return value


class Rtcp(Section):
    enabled: bool = True
    # RFC 3550 section 6.2 recommends no less than 5 s.
    interval_s: Annotated[float, Field(ge=1, le=60, allow_inf_nan=False)] = 5.0
    mux: RtcpMux = "accept"


class Transcribe(Section):
    via: Literal["transcriptions", "chat"] = "transcriptions"
    base_url: Line = "https://api.openai.com/v1"
    api_key: SecretReference | None = None
    model: Line | None = None
    language: Line | None = None
    summary: bool = False
    summary_model: Line = "gpt-5.4-mini"
    timeout_s: PositiveSeconds = 60.0
    max_waiting: Annotated[int, Field(ge=1, le=10_000)] = 100


class Recording(Section):
    calls: Literal["all", "dialplan"] = "all"
    format: RecordingFormat = "wav"
    announcement: PathText | None = None
    key: SecretReference | None = None
    keep_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    transcribe: Transcribe | None = None


class Processing(Section):
    echo_cancellation: Switch = "off"
    noise_suppression: NoiseSuppressionWord = "off"
    gain_control: Switch = "off"


class Media(Section):
    host: Host | None = None
    advertised_host: AdvertisedHost | None = None
    port_min: Annotated[int, Field(ge=1, le=65535)] = 20000
    port_max: Annotated[int, Field(ge=1, le=65535)] = 29999
    port_quarantine_s: Seconds = 30.0
    codecs: Annotated[list[Codec], Field(min_length=1)] = ["pcmu", "pcma"]
    ptime_ms: int = 20
    telephone_event: bool = True
    comfort_noise: bool = True
    dtmf: DigitMode = "auto"
    dtmf_tone_ms: Annotated[int, Field(ge=40, le=5000)] = 160
    dtmf_gap_ms: Annotated[int, Field(ge=40, le=5000)] = 80
    model_format: Literal["auto", "pcm16", "g711"] = "auto"
    append_ms: PositiveMs = 60
    prebuffer_ms: Ms = 40
    timeout_s: Seconds = 60.0
    send_silence: bool = True
    latch: Latch = "signalled_host"
    srtp: SrtpMode = "off"
    tones: Country = "us"
    recording_dir: PathText | None = None
    recording: Recording = Field(default_factory=Recording)
    jitter: Jitter = Field(default_factory=Jitter)
    rtcp: Rtcp = Field(default_factory=Rtcp)
    processing: Processing = Field(default_factory=Processing)

    @field_validator("port_max")
    @classmethod
    def _a_pair_of_ports(cls, port_max: int, info: ValidationInfo) -> int:
        port_min = before(info, "port_min")
        if port_min is not None and port_min + port_min % 2 >= port_max:
            raise ValueError(f"port_min {port_min} to port_max {port_max} holds no pair of ports")
        return port_max

    @field_validator("codecs")
    @classmethod
    def _each_codec_once(cls, codecs: list[str]) -> list[str]:
        if len(set(codecs)) < len(codecs):
            raise ValueError("a codec is listed twice")
        return codecs

    @field_validator("dtmf")
    @classmethod
    def _events_are_negotiated(cls, dtmf: str, info: ValidationInfo) -> str:
        if dtmf == "rfc4733" and before(info, "telephone_event") is False:
            fix = "write telephone_event: true, or another way: auto, info, inband"
            raise ValueError(
                f"rfc4733 is not negotiated while telephone_event is false\nfix: {fix}"
            )
        return dtmf

    @field_validator("ptime_ms")
    @classmethod
    def _ptime_of_the_vad(cls, ptime_ms: int) -> int:
        if ptime_ms not in (10, 20, 30):
            raise ValueError("ptime_ms must be 10, 20 or 30")
        return ptime_ms

    @field_validator("append_ms")
    @classmethod
    def _whole_frames(cls, append_ms: int, info: ValidationInfo) -> int:
        ptime_ms = before(info, "ptime_ms")
        if ptime_ms is not None and append_ms % ptime_ms:
            raise ValueError(f"append_ms must be a multiple of ptime_ms, which is {ptime_ms}")
        return append_ms


class Limits(Section):
    max_calls: Annotated[int, Field(ge=1)] = 300
    max_call_s: PositiveSeconds = 3600.0
    setup_timeout_s: PositiveSeconds = 10.0
    drain_s: Seconds = 60.0
    retry_after_s: Annotated[int, Field(ge=0)] = 5


class Http(Section):
    host: Host = "127.0.0.1"
    port: Port | None = 8080


class Log(Section):
    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Cdr(Section):
    file: PathText | None = None


class DialplanFiles(Section):
    dir: PathText = "dialplans"
    context: Annotated[str, Field(min_length=1)] = "main"
    sounds_dir: PathText | None = None


class AgentFiles(Section):
    dir: PathText = "agents"
    time_zone: TimeZone = "UTC"


class TrunkFiles(Section):
    dir: PathText = "trunks"


class Rehearsal(Section):
    port: Port = 0
    scenario: PathText = "default"


class Settings(Section):
    """Everything in ``telephony.yaml``. Paths are absolute once they were read."""

    sip: Sip = Field(default_factory=Sip)
    tls: Tls = Field(default_factory=Tls)
    security: Security = Field(default_factory=Security)
    identity: Identity = Field(default_factory=Identity)
    media: Media = Field(default_factory=Media)
    vad: Vad = Field(default_factory=Vad)
    barge_in: BargeIn = Field(default_factory=BargeIn)
    silence: Silence = Field(default_factory=Silence)
    digits: Digits = Field(default_factory=Digits)
    spend: Spend = Field(default_factory=Spend)
    limits: Limits = Field(default_factory=Limits)
    http: Http = Field(default_factory=Http)
    hosted_sip: HostedSip = Field(default_factory=HostedSip)
    tokens: Tokens = Field(default_factory=Tokens)
    log: Log = Field(default_factory=Log)
    cdr: Cdr = Field(default_factory=Cdr)
    dialplan: DialplanFiles = Field(default_factory=DialplanFiles)
    agents: AgentFiles = Field(default_factory=AgentFiles)
    trunks: TrunkFiles = Field(default_factory=TrunkFiles)
    rehearsal: Rehearsal = Field(default_factory=Rehearsal)


PATH_KEYS = (
    ("tls", "certificate"),
    ("tls", "private_key"),
    ("tls", "ca"),
    ("identity", "roots"),
    ("media", "recording_dir"),
    ("cdr", "file"),
    ("dialplan", "dir"),
    ("dialplan", "sounds_dir"),
    ("agents", "dir"),
    ("trunks", "dir"),
    ("rehearsal", "scenario"),
)
"""The keys that hold paths. ``rehearsal.scenario`` is one only if it ends in ``.yaml``."""
