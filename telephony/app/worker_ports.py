"""What each of several processes listens on: the same settings, other ports."""

from __future__ import annotations

from collections.abc import Iterator

from telephony.app.settings import Settings
from telephony.app.settings_sources import Key, variable_name
from telephony.base.errors import ConfigError, Problem

PORT_STEPS = (2, 4, 10, 100)
"""How far the SIP ports of two workers may be apart: the first that keeps all ports distinct."""

Variables = dict[str, str]


def worker_variables(settings: Settings, count: int) -> list[Variables]:
    """Return, for each of ``count`` workers, the variables that give it ports of its own.

    The first keeps the SIP and HTTP ports of the settings; the range of RTP ports is shared out.
    Port 0 and null stay what they are. Raises ConfigError when there are not enough ports.
    """
    sip = settings.sip
    fixed = {
        f"{transport}_port": port
        for transport, port in (("udp", sip.udp_port), ("tcp", sip.tcp_port), ("tls", sip.tls_port))
        if port
    }
    step = _step(fixed, count)
    out: list[Variables] = []
    for index in range(count):
        variables = {
            variable_name(("sip", key)): str(port + index * step) for key, port in fixed.items()
        }
        for section in ("http", "hosted_sip", "tokens", "rehearsal"):
            port = getattr(settings, section).port
            if port:
                variables[variable_name((section, "port"))] = str(_fitting(port + index, section))
        variables.update(_media_ports(settings, index, count))
        out.append(variables)
    return out


def _step(ports: dict[str, int], count: int) -> int:
    for step in PORT_STEPS:
        used = list(_used(ports, count, step))
        if len(set(used)) == len(used) and all(port <= 65535 for _, port in used):
            return step
    names = ", ".join(f"sip.{key}" for key in ports)
    raise _problem(("sip", "udp_port"), f"{count} workers find no ports of their own from {names}")


def _used(ports: dict[str, int], count: int, step: int) -> Iterator[tuple[str, int]]:
    for index in range(count):
        for key, port in ports.items():
            yield ("udp" if key == "udp_port" else "tcp"), port + index * step


def _fitting(port: int, section: str) -> int:
    if port > 65535:
        raise _problem((section, "port"), "the last worker's port would be above 65535")
    return port


def _media_ports(settings: Settings, index: int, count: int) -> Variables:
    """Return an even share of the RTP ports, in whole pairs."""
    media = settings.media
    first = media.port_min + media.port_min % 2
    pairs = (media.port_max + 1 - first) // 2 // count
    if not pairs:
        message = f"{media.port_min} to {media.port_max} are too few ports for {count} workers"
        raise _problem(("media", "port_max"), message)
    start = first + 2 * pairs * index
    return {
        variable_name(("media", "port_min")): str(start),
        variable_name(("media", "port_max")): str(start + 2 * pairs - 1),
    }


def _problem(key: Key, message: str) -> ConfigError:
    return ConfigError([Problem("serve --workers", 0, 0, ".".join(key), message, "use fewer")])
