"""The keys of a trunk's file, and the texts in them: servers, addresses, numbers."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from telephony.app.settings_types import (
    Line,
    NoiseSuppressionWord,
    PositiveSeconds,
    Section,
    SrtpMode,
    Switch,
    no_as,
)
from telephony.audio.format import Codec
from telephony.base.interfaces import DigitMode
from telephony.base.schema_problems import NAME_PATTERN
from telephony.sip.values import bracketed_host, is_numeric, read_uri
from telephony.stacks.trunk import IdentitySource, NumberFormat

SERVERS = "servers"
"""The word in ``inbound.addresses`` that stands for what the servers resolve to."""

Transport = Literal["udp", "tcp", "tls"]

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_TARGET = re.compile(r"\+?[0-9]{0,20}\*?")
_PREFIX = re.compile(r"\+?[0-9*#]{0,16}")


def _as_list(value: Any) -> Any:
    """One text stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _switch(value: Any) -> Any:
    """``true`` stands for a section with its defaults, ``false`` for none."""
    if value is True:
        return {}
    return None if value is False else value


def server_uri(text: str) -> str:
    """Return a server as a SIP URI without a user; raises ValueError.

    Written are ``sip.example.com``, ``192.0.2.7:5080``, ``[2001:db8::1]:5060``, or a SIP URI.
    """
    fix = "write sip.example.com, 192.0.2.7:5080 or sip:sip.example.com;transport=tcp"
    bare = text.strip()
    if is_numeric(bare):
        bare = bracketed_host(bare)
    whole = bare if bare[:4].lower() == "sip:" or bare[:5].lower() == "sips:" else f"sip:{bare}"
    uri = read_uri(whole)
    if uri is None or not uri.host or not is_host(uri.host.strip("[]")):
        raise ValueError(f"{text!r} is no SIP server\nfix: {fix}")
    if uri.user:
        message = f"{text!r} names a user"
        raise ValueError(f"{message}\nfix: write the server alone; the user is `username`")
    transport = (uri.parameters.get("transport") or "udp").lower()
    if transport not in ("udp", "tcp", "tls"):
        raise ValueError(f"there is no transport {transport!r}\nfix: write udp, tcp or tls")
    return whole


def is_host(text: str) -> bool:
    """Tell whether ``text`` is an IP address or can be a host name."""
    if is_numeric(text):
        return True
    # An address with a mistake in it looks like a name of digits.
    return bool(_HOST_NAME.fullmatch(text)) and not re.fullmatch(r"[0-9.]+", text)


def _source(text: str) -> str:
    if text == SERVERS or network_of(text) is not None or is_host(text):
        return text
    fix = "write 192.0.2.7, 192.0.2.0/24, a host name, or the word servers"
    raise ValueError(f"{text!r} is no address\nfix: {fix}")


def network_of(text: str) -> IPv4Network | IPv6Network | None:
    """Return the network that an address or ``address/bits`` means, None for other texts."""
    try:
        # Bits below the mask are what people copy from a host of theirs.
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _domain(text: str) -> str:
    host, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if not is_host(host.strip("[]")) or (port and not port.isdigit()):
        raise ValueError(f"{text!r} is no domain\nfix: write example.com")
    return bracketed_host(text) if is_numeric(text) else text


def _number(text: str) -> str:
    bare = re.sub(r"[ ().-]", "", text)
    if not _NUMBER.fullmatch(bare):
        raise ValueError(f'{text!r} is no number\nfix: write "+15550100", in quotes')
    return bare


def _target(text: str) -> str:
    bare = re.sub(r"[ ().-]", "", text)
    if not bare or not _TARGET.fullmatch(bare):
        fix = 'write "+15550100", or "+1555*" for all that begin so'
        raise ValueError(f"{text!r} is no number and no beginning of one\nfix: {fix}")
    return bare


def _digits(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError(f'{text!r} is no prefix\nfix: write digits in quotes, such as "00"')
    return text


def _dial_prefix(text: str) -> str:
    if not re.fullmatch(r"[0-9]{0,8}", text):
        raise ValueError(f'{text!r} is no prefix\nfix: write digits in quotes, such as "00"')
    return text


def _region(text: str) -> str:
    import phonenumbers

    if text not in phonenumbers.SUPPORTED_REGIONS:
        fix = f"did you mean {text.upper()}?" if text.upper() != text else "write DE, US, GB, ..."
        raise ValueError(f"{text!r} is no region\nfix: {fix}")
    return text


Server = Annotated[str, AfterValidator(server_uri)]
Servers = Annotated[list[Server], BeforeValidator(_as_list)]
Domain = Annotated[str, AfterValidator(_domain)]
Number = Annotated[str, AfterValidator(_number)]
Target = Annotated[str, AfterValidator(_target)]
Prefix = Annotated[str, AfterValidator(_digits)]
DialPrefix = Annotated[str, AfterValidator(_dial_prefix)]
Count = Annotated[int, Field(ge=1)]
Names = Annotated[list[Line], BeforeValidator(_as_list)]


class Login(Section):
    username: Line
    password: Line


class RegisterKeys(Section):
    expires_s: Annotated[int, Field(ge=30, le=86_400)] = 3600
    retry_initial_s: PositiveSeconds = 5.0
    retry_max_s: PositiveSeconds = 1800.0

    @field_validator("retry_max_s")
    @classmethod
    def _ascending(cls, value: float, info: ValidationInfo) -> float:
        initial_s = info.data.get("retry_initial_s")
        if initial_s is not None and value < initial_s:
            raise ValueError(f"retry_max_s must not be below retry_initial_s, which is {initial_s}")
        return value


class InboundKeys(Section):
    addresses: Annotated[
        list[Annotated[str, AfterValidator(_source)]] | None, BeforeValidator(_as_list)
    ] = None
    certificate_names: Names = Field(default_factory=list)
    authenticate: Login | None = None
    challenge_always: bool = False
    trust_identity: Annotated[
        list[IdentitySource], BeforeValidator(_as_list), Field(min_length=1)
    ] = Field(default_factory=lambda: list[IdentitySource](("pai", "rpid", "from")))

    @field_validator("challenge_always")
    @classmethod
    def _with_a_login(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("authenticate") is None:
            fix = "add authenticate: {username: ..., password: ${...}}"
            raise ValueError(f"there is no login to challenge for\nfix: {fix}")
        return value


class CallerIdKeys(Section):
    number: Number | None = None
    name: Line | None = None
    header: Literal["pai", "rpid", "from", "none"] = "from"
    from_user: Literal["number", "username"] = "number"
    privacy: bool = False
    pass_through: bool = True


class LimitKeys(Section):
    max_calls: Count | None = None
    max_inbound: Annotated[int, Field(ge=0)] | None = None
    max_outbound: Annotated[int, Field(ge=0)] | None = None
    calls_per_s: PositiveSeconds | None = None
    full_status: Literal[486, 503, 600, 603] = 503


class KeepaliveKeys(Section):
    options_interval_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 30.0
    timeout_s: PositiveSeconds = 5.0
    down_after: Count = 3
    up_after: Count = 1

    @field_validator("timeout_s")
    @classmethod
    def _within_the_interval(cls, value: float, info: ValidationInfo) -> float:
        interval_s = info.data.get("options_interval_s")
        if interval_s is not None and value > interval_s:
            raise ValueError(f"timeout_s is longer than options_interval_s, {interval_s:g}")
        return value


class NumberKeys(Section):
    region: Annotated[str, AfterValidator(_region)] | None = None
    format: NumberFormat = "e164"
    national_prefix: DialPrefix = ""
    international_prefix: DialPrefix = ""
    max_short_digits: Annotated[int, Field(ge=0, le=14)] = 6
    strip_prefix: Prefix = ""
    add_prefix: Prefix = ""
    called_from: Literal["auto", "request_uri", "to"] = "auto"

    @field_validator("format")
    @classmethod
    def _national_needs_a_region(cls, value: str, info: ValidationInfo) -> str:
        if value == "national" and info.data.get("region", "") is None:
            raise ValueError("national numbers need a region\nfix: add region: DE, or yours")
        return value


class AttestationKeys(Section):
    mode: Annotated[Literal["off", "tag", "require"], no_as("off")] = "off"
    minimum: Literal["A", "B", "C"] = "C"
    missing_is: Literal["A", "B", "C"] | None = None


class ReferKeys(Section):
    accept: bool = False
    targets: Annotated[list[Target], BeforeValidator(_as_list)] = Field(default_factory=list)

    @field_validator("targets")
    @classmethod
    def _whom(cls, value: list[str], info: ValidationInfo) -> list[str]:
        if info.data.get("accept") and not value:
            fix = 'list the numbers that may be called, such as "+1555*"'
            raise ValueError(f"without targets every REFER is declined\nfix: {fix}")
        return value


class ProcessingKeys(Section):
    echo_cancellation: Switch | None = None
    noise_suppression: NoiseSuppressionWord | None = None
    gain_control: Switch | None = None


class TrunkFile(Section):
    """The keys of a trunk's file; ``config/trunks`` explains them."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=NAME_PATTERN)] | None = None
    enabled: bool = True
    servers: Servers = Field(default_factory=list)
    transport: Transport | None = None
    outbound_proxy: Server | None = None
    domain: Domain | None = None
    username: Line | None = None
    auth_username: Line | None = None
    password: Line | None = None
    realm: Line | None = None
    outbound: bool = True
    registration: Annotated[RegisterKeys | None, BeforeValidator(_switch)] = Field(
        default=None, alias="register"
    )
    inbound: Annotated[InboundKeys | None, BeforeValidator(_switch)] = Field(
        default_factory=InboundKeys
    )
    codecs: Annotated[list[Codec], Field(min_length=1)] | None = None
    srtp: SrtpMode | None = None
    dtmf: DigitMode | None = None
    processing: ProcessingKeys = Field(default_factory=ProcessingKeys)
    caller_id: CallerIdKeys = Field(default_factory=CallerIdKeys)
    limits: LimitKeys = Field(default_factory=LimitKeys)
    keepalive: Annotated[KeepaliveKeys | None, BeforeValidator(_switch)] = Field(
        default_factory=KeepaliveKeys
    )
    numbers: NumberKeys = Field(default_factory=NumberKeys)
    attestation: AttestationKeys = Field(default_factory=AttestationKeys)
    refer: ReferKeys = Field(default_factory=ReferKeys)
    follow_redirects: bool = False

    @field_validator("codecs")
    @classmethod
    def _each_codec_once(cls, codecs: list[str] | None) -> list[str] | None:
        if codecs is not None and len(set(codecs)) < len(codecs):
            raise ValueError("a codec is listed twice")
        return codecs
