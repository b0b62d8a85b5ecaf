"""The settings of the bot: one model per section of ``telephony.yaml``, every key with its default.

``config/telephony.yaml`` explains each key; :mod:`telephony.app.settings_sources` reads the file
and the environment into these models.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from telephony.audio.processing import NoiseSuppression
from telephony.stacks.capabilities import StackName


def _ip(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError:
        fix = "write an address such as 192.0.2.7, or 0.0.0.0 for every interface"
        raise ValueError(f"{value!r} is no IP address\nfix: {fix}") from None


def _reachable_ip(value: str) -> str:
    if ip_address(_ip(value)).is_unspecified:
        fix = "write the address that callers reach, or null to find it out"
        raise ValueError(f"nobody can send to {value}\nfix: {fix}")
    return _ip(value)


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        fix = "write 192.0.2.7 or 192.0.2.0/24"
        raise ValueError(f"{value!r} is no network\nfix: {fix}") from None


def _server(value: str) -> str:
    # stun.example.com:3478, 192.0.2.7, [2001:db8::1]:3478
    if not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", value):
        raise ValueError(f"{value!r} is no server\nfix: write stun.example.com:3478")
    return value


def _as_list(value: Any) -> Any:
    """One text stands for a list of one."""
    return [value] if isinstance(value, str) else value


def no_as(word: str) -> BeforeValidator:
    """Take the boolean that YAML makes of a plain ``off`` or ``no`` for the word it stands for."""
    return BeforeValidator(lambda value: word if value is False else value)


def _switch(value: Any) -> Any:
    """Take the booleans that YAML makes of a plain ``on`` or ``off`` for these words."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


Host = Annotated[str, AfterValidator(_ip)]
Hosts = Annotated[list[Host], BeforeValidator(_as_list), Field(min_length=1)]
Networks = Annotated[list[Annotated[str, AfterValidator(_network)]], BeforeValidator(_as_list)]
AdvertisedHost = Annotated[str, AfterValidator(_reachable_ip)]
RtcpMux = Annotated[Literal["off", "accept", "offer"], no_as("off")]
SrtpMode = Annotated[Literal["off", "optional", "required"], no_as("off")]
Switch = Annotated[Literal["off", "on"], BeforeValidator(_switch)]
NoiseSuppressionWord = Annotated[NoiseSuppression, no_as("off")]
Port = Annotated[int, Field(ge=0, le=65535)]
PositiveMs = Annotated[int, Field(ge=1)]
Ms = Annotated[int, Field(ge=0)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Decibels = Annotated[float, Field(allow_inf_nan=False)]
PathText = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _latch(value: Any) -> Any:
    """Take a boolean, as YAML and people write it, for ``any`` or ``off``."""
    words = {"true": "any", "yes": "any", "on": "any", "false": "off", "no": "off"}
    return words.get(str(value).lower(), value)


Latch = Annotated[Literal["off", "signalled_host", "any"], BeforeValidator(_latch)]


class Section(BaseModel):
    """Keys of one section; unknown ones are errors, and text is not taken for a number."""

    # Defaults are validated too: another key may make them wrong.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_default=True)


def _before(info: ValidationInfo, name: str) -> Any:
    """Return a field validated earlier, or None when it was wrong itself."""
    return info.data.get(name)


class Sip(Section):
    host: Hosts = ["0.0.0.0"]
    udp_port: Port | None = 5060
    tcp_port: Port | None = 5060
    tls_port: Port | None = None
    advertised_host: AdvertisedHost | None = None
    stun_server: Annotated[str, AfterValidator(_server)] | None = None
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
        if server is not None and _before(info, "advertised_host") is not None:
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
        t1_ms = _before(info, "t1_ms")
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
        ban_s = _before(info, "ban_s")
        if ban_s is not None and value < ban_s:
            raise ValueError(f"max_ban_s must not be below ban_s, which is {ban_s:g}")
        return value


class Identity(Section):
    roots: PathText | None = None
    max_age_s: Annotated[int, Field(ge=1, le=3600)] = 60
    fetch_timeout_s: PositiveSeconds = 3.0
    allowed_hosts: Annotated[list[Line], BeforeValidator(_as_list), Field(min_length=1)] = ["*"]


class Jitter(Section):
    min_ms: PositiveMs = 20
    start_ms: PositiveMs = 40
    max_ms: Annotated[int, Field(ge=1, le=2000)] = 200

    @field_validator("start_ms", "max_ms")
    @classmethod
    def _ascending(cls, value: int, info: ValidationInfo) -> int:
        smaller = "min_ms" if info.field_name == "start_ms" else "start_ms"
        lower = _before(info, smaller)
        if lower is not None and value < lower:
            raise ValueError(f"{info.field_name} must not be below {smaller}, which is {lower}")
        return value


class Rtcp(Section):
    enabled: bool = True
    # RFC 3550 section 6.2 recommends no less than 5 s.
    interval_s: Annotated[float, Field(ge=1, le=60, allow_inf_nan=False)] = 5.0
    mux: RtcpMux = "accept"


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
    codecs: Annotated[list[Literal["pcmu", "pcma"]], Field(min_length=1)] = ["pcmu", "pcma"]
    ptime_ms: int = 20
    telephone_event: bool = True
    model_format: Literal["auto", "pcm16", "g711"] = "auto"
    append_ms: PositiveMs = 60
    prebuffer_ms: Ms = 40
    timeout_s: Seconds = 60.0
    send_silence: bool = True
    latch: Latch = "signalled_host"
    srtp: SrtpMode = "off"
    recording_dir: PathText | None = None
    jitter: Jitter = Field(default_factory=Jitter)
    rtcp: Rtcp = Field(default_factory=Rtcp)
    processing: Processing = Field(default_factory=Processing)

    @field_validator("port_max")
    @classmethod
    def _a_pair_of_ports(cls, port_max: int, info: ValidationInfo) -> int:
        port_min = _before(info, "port_min")
        if port_min is not None and port_min + port_min % 2 >= port_max:
            raise ValueError(f"port_min {port_min} to port_max {port_max} holds no pair of ports")
        return port_max

    @field_validator("codecs")
    @classmethod
    def _each_codec_once(cls, codecs: list[str]) -> list[str]:
        if len(set(codecs)) < len(codecs):
            raise ValueError("a codec is listed twice")
        return codecs

    @field_validator("ptime_ms")
    @classmethod
    def _ptime_of_the_vad(cls, ptime_ms: int) -> int:
        if ptime_ms not in (10, 20, 30):
            raise ValueError("ptime_ms must be 10, 20 or 30")
        return ptime_ms

    @field_validator("append_ms")
    @classmethod
    def _whole_frames(cls, append_ms: int, info: ValidationInfo) -> int:
        ptime_ms = _before(info, "ptime_ms")
        if ptime_ms is not None and append_ms % ptime_ms:
            raise ValueError(f"append_ms must be a multiple of ptime_ms, which is {ptime_ms}")
        return append_ms


class Vad(Section):
    aggressiveness: Annotated[int, Field(ge=0, le=3)] = 3
    start_ms: PositiveMs = 80
    start_window_ms: PositiveMs = 120
    stop_ms: PositiveMs = 400
    min_level_dbfs: Annotated[float, Field(ge=-96, le=0, allow_inf_nan=False)] = -45.0
    above_noise_db: Decibels = 7.0
    hold_db: Decibels = 4.0
    echo_tail_ms: Ms = 200
    noise_window_ms: PositiveMs = 1800

    @field_validator("start_window_ms")
    @classmethod
    def _window_holds_start(cls, value: int, info: ValidationInfo) -> int:
        start_ms = _before(info, "start_ms")
        if start_ms is not None and value < start_ms:
            raise ValueError(f"start_window_ms must not be below start_ms, which is {start_ms}")
        return value


class BargeIn(Section):
    mode: Literal["both", "local", "server", "off"] = "both"
    min_speech_ms: Ms = 80
    ignore_first_ms: Ms = 250
    digits: bool = True
    protect_greeting: bool = False
    false_interruption_ms: Ms = 1500
    latency_ms: Ms = 0


class Silence(Section):
    enabled: bool = False
    reprompt_after_s: PositiveSeconds = 8.0
    max_reprompts: Annotated[int, Field(ge=0)] = 2
    thinking_limit_s: Seconds = 20.0


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
    limits: Limits = Field(default_factory=Limits)
    http: Http = Field(default_factory=Http)
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
