"""What the signalling stack of the settings can't do, and the configuration asks of it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from telephony.app.agents import LoadedAgent
from telephony.app.settings_mapping import to_processing_config
from telephony.app.settings_sources import Key, LoadedSettings
from telephony.app.trunks import LoadedTrunk
from telephony.base.errors import Problem
from telephony.dialplan import Dialplan
from telephony.sip.location import fallback_transport, read_destination
from telephony.stacks.capabilities import CAPABILITIES, Capabilities, StackName

MODULES: Final[dict[StackName, str]] = {"pjsip": "pjsua2", "pyvoip": "pyVoIP"}
"""The module of each stack that is not ours."""

_NATIVE: Final = "choose sip.stack: native"


def is_installed(stack: StackName) -> bool:
    """Tell whether the library of a stack can be imported, without importing it."""
    module = MODULES.get(stack)
    return module is None or importlib.util.find_spec(module) is not None


def how_to_install(stack: StackName) -> str:
    """Return what brings the library of a stack."""
    if stack == "pjsip" and sys.version_info >= (3, 13):
        return "its wheels end at Python 3.12: use that or 3.11, or build pjsua2"
    return f"pip install 'telephony-voice-bot[{stack}]'"


def check_stack(
    loaded: LoadedSettings,
    trunks: Sequence[LoadedTrunk],
    agents: Sequence[LoadedAgent],
    dialplan: Dialplan | None,
) -> Iterator[Problem]:
    """Find every setting, trunk, agent and action that needs what the stack has not."""
    stack = loaded.settings.sip.stack
    if not is_installed(stack):
        message = f"the stack {stack} needs the module {MODULES[stack]}, which is not installed"
        yield loaded.problem(("sip", "stack"), message, how_to_install(stack))
    can = CAPABILITIES[stack]
    yield from _check_transports(loaded, can)
    yield from _check_settings(loaded, can)
    for trunk in trunks:
        yield from _check_trunk(trunk, stack, can)
    for agent in agents:
        yield from _check_agent(agent, stack, can)
    for use in dialplan.verbs if dialplan is not None else ():
        if not _does(can, use.name):
            message = f"the stack {stack} can't do this: {use.name}"
            yield use.problem(message, f"remove it, or {_NATIVE}")


def _check_transports(loaded: LoadedSettings, can: Capabilities) -> Iterator[Problem]:
    """Find ports that were asked for; a port that is only the default is not opened."""
    sip = loaded.settings.sip
    stack = sip.stack
    ports = {"udp": sip.udp_port, "tcp": sip.tcp_port, "tls": sip.tls_port}
    for transport, port in ports.items():
        key = ("sip", f"{transport}_port")
        if port is not None and transport not in can.transports and loaded.names(key):
            message = f"the stack {stack} does not speak {transport.upper()}"
            yield loaded.problem(key, message, f"write {key[1]}: null, or {_NATIVE}")
    if all(ports[transport] is None for transport in can.transports):
        spoken = " and ".join(transport.upper() for transport in can.transports)
        message = f"the stack {stack} speaks {spoken} only, and no such port is open"
        key = ("sip", f"{can.transports[0]}_port")
        yield loaded.problem(key, message, f"write {key[1]}: 5060")


def _check_settings(loaded: LoadedSettings, can: Capabilities) -> Iterator[Problem]:
    settings = loaded.settings
    stack = settings.sip.stack
    asked: list[tuple[bool, Key, str, str]] = [
        (
            not can.ipv6 and any(":" in host for host in settings.sip.host),
            ("sip", "host"),
            "IPv6",
            "list IPv4 addresses only",
        ),
        (
            not can.ipv6 and ":" in (settings.media.host or ""),
            ("media", "host"),
            "IPv6",
            "write an IPv4 address",
        ),
        (
            not can.stun and settings.sip.stun_server is not None,
            ("sip", "stun_server"),
            "STUN",
            "write advertised_host",
        ),
        (not can.srtp and settings.media.srtp != "off", ("media", "srtp"), "SRTP", 'write "off"'),
        (
            not can.caller_certificates and settings.tls.verify_client != "no",
            ("tls", "verify_client"),
            "certificates of callers",
            'write "no"',
        ),
        (
            not can.ours and settings.media.ptime_ms != 20,
            ("media", "ptime_ms"),
            "packets of another length than 20 ms",
            "write 20",
        ),
        (
            not can.ours and to_processing_config(settings.media.processing).active,
            ("media", "processing"),
            "processing of the caller's audio",
            "remove it",
        ),
    ]
    for codec in settings.media.codecs:
        if codec not in can.codecs:
            message = f"the stack {stack} does not speak {codec}"
            yield loaded.problem(("media", "codecs"), message, f"remove it, or {_NATIVE}")
    if settings.media.dtmf not in ("auto", *can.digit_ways):
        message = f"the stack {stack} can't send digits by {settings.media.dtmf}"
        yield loaded.problem(("media", "dtmf"), message, f"write auto, or {_NATIVE}")
    for is_asked, key, what, fix in asked:
        if is_asked:
            message = f"the stack {stack} does not support {what}"
            yield loaded.problem(key, message, f"{fix}, or {_NATIVE}")


def _check_trunk(item: LoadedTrunk, stack: StackName, can: Capabilities) -> Iterator[Problem]:
    trunk = item.trunk
    if trunk is None:
        return
    for uri in trunk.next_hops:
        transport = fallback_transport(read_destination(uri))
        if transport not in can.transports:
            key = "outbound_proxy" if trunk.outbound_proxy else "servers"
            message = f"the stack {stack} does not speak {transport.upper()}"
            yield item.problem((key,), message, f"write transport: udp, or {_NATIVE}")
            break
    for codec in trunk.media.codecs or ():
        if codec not in can.codecs:
            message = f"the stack {stack} does not speak {codec}"
            yield item.problem(("codecs",), message, f"remove it, or {_NATIVE}")
    if trunk.media.dtmf is not None and trunk.media.dtmf not in ("auto", *can.digit_ways):
        message = f"the stack {stack} can't send digits by {trunk.media.dtmf}"
        yield item.problem(("dtmf",), message, f"write auto, or {_NATIVE}")
    inbound = trunk.inbound
    asked: list[tuple[bool, tuple[str, ...], str]] = [
        (not can.registration and trunk.register is not None, ("register",), "registration"),
        (not can.srtp and trunk.media.srtp != "off", ("srtp",), "SRTP"),
        (
            not can.caller_login and inbound.credentials is not None,
            ("inbound", "authenticate"),
            "logins of callers",
        ),
        (
            not can.caller_certificates and bool(inbound.certificate_names),
            ("inbound", "certificate_names"),
            "certificates of callers",
        ),
        (
            not can.attestation and trunk.attestation.mode != "off",
            ("attestation",),
            "the Identity header",
        ),
        (
            not can.ours and trunk.media.processing.active,
            ("processing",),
            "processing of the caller's audio",
        ),
        (not can.referral and trunk.refer.accept, ("refer", "accept"), "REFER from peers"),
        (
            not can.redirects and trunk.follow_redirects,
            ("follow_redirects",),
            "redirects",
        ),
    ]
    for is_asked, path, what in asked:
        if is_asked:
            message = f"the stack {stack} does not support {what}"
            yield item.problem(path, message, f"remove {'.'.join(path)}, or {_NATIVE}")


def _check_agent(item: LoadedAgent, stack: StackName, can: Capabilities) -> Iterator[Problem]:
    for name, destination in item.agent.transfers.items() if item.agent is not None else ():
        if not _does(can, f"{destination.mode} transfer"):
            message = f"the stack {stack} can't do this: {destination.mode} transfer"
            yield item.problem(("transfers", name), message, f"remove it, or {_NATIVE}")


def _does(can: Capabilities, use: str) -> bool:
    """Tell whether a stack can do what an action of a dialplan asks."""
    needed = {
        "pre_answer": can.early_media,
        "blind transfer": can.blind_transfer,
        "attended transfer": can.attended_transfer,
    }
    return needed.get(use, True)
