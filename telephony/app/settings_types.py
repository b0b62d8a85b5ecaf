"""What the values of settings may be: addresses, ports, times, names."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from telephony.app.secret_references import referred_variable
from telephony.audio.processing import NoiseSuppression
from telephony.base.schema_problems import did_you_mean


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


def as_list(value: Any) -> Any:
    """One text stands for a list of one."""
    return [value] if isinstance(value, str) else value


def no_as(word: str) -> BeforeValidator:
    """Take the boolean that YAML makes of a plain ``off`` or ``no`` for the word it stands for."""
    return BeforeValidator(lambda value: word if value is False else value)


def _switch(value: Any) -> Any:
    """Take the booleans that YAML makes of a plain ``on`` or ``off`` for these words."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def named(pattern: str, what: str, fix: str) -> AfterValidator:
    """Take text that ``pattern`` matches; ``what`` says what it is to be."""
    allowed = re.compile(pattern)

    def check(value: str) -> str:
        if not allowed.fullmatch(value):
            raise ValueError(f"{value!r} is no {what}\nfix: {fix}")
        return value

    return AfterValidator(check)


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # OSError: the name of a directory of zones.
        fix = did_you_mean(value, available_timezones()) if len(value) > 3 else ""
        fix = fix if "?" in fix else "write a name such as Europe/Berlin, or UTC"
        raise ValueError(f"{value!r} is no time zone\nfix: {fix}") from None
    return value


Host = Annotated[str, AfterValidator(_ip)]
Hosts = Annotated[list[Host], BeforeValidator(as_list), Field(min_length=1)]
Networks = Annotated[list[Annotated[str, AfterValidator(_network)]], BeforeValidator(as_list)]
Server = Annotated[str, AfterValidator(_server)]
AdvertisedHost = Annotated[str, AfterValidator(_reachable_ip)]
RtcpMux = Annotated[Literal["off", "accept", "offer"], no_as("off")]
SrtpMode = Annotated[Literal["off", "optional", "required"], no_as("off")]
Switch = Annotated[Literal["off", "on"], BeforeValidator(_switch)]
NoiseSuppressionWord = Annotated[NoiseSuppression, no_as("off")]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
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


def before(info: ValidationInfo, name: str) -> Any:
    """Return a field validated earlier, or None when it was wrong itself."""
    return info.data.get(name)


def _reference(value: str) -> str:
    if referred_variable(value) is None:
        # The text is not repeated: it may be the secret itself.
        fix = "set an environment variable and write ${ITS_NAME}"
        raise ValueError(f"a secret must not be written into a file\nfix: {fix}")
    return value


SecretReference = Annotated[str, AfterValidator(_reference)]
"""``${VARIABLE}``: never the secret itself."""
