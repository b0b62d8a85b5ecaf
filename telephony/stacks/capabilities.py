"""What each signalling stack can do: the one table that configuration, tests and README go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from telephony.audio.format import Codec
from telephony.base.interfaces import DigitWay
from telephony.sip.flow import Transport

StackName = Literal["native", "pjsip", "pyvoip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a stack can do. What it can't is refused by name when the configuration is read.

    ``ours``: media runs on our RTP plane, with all that it counts and promises.
    """

    transports: tuple[Transport, ...]
    codecs: tuple[Codec, ...] = ("pcmu", "pcma")
    digit_ways: tuple[DigitWay, ...] = ("rfc4733",)
    """How keys of ours can travel."""
    ours: bool = True
    ipv6: bool = False
    """Sockets and SDP of IP version 6."""
    srtp: bool = False
    """``RTP/SAVP`` with SDES keys (RFC 4568)."""
    registration: bool = False
    caller_login: bool = False
    """Challenges callers for the password of their trunk (``inbound.authenticate``)."""
    caller_certificates: bool = False
    """Knows callers by their TLS certificates (``inbound.certificate_names``)."""
    silence: bool = False
    """Gives strangers no answer at all; a stack without it answers 403."""
    guard: bool = False
    """Limits and bans sources before their messages are parsed."""
    attestation: bool = False
    early_media: bool = False
    """``pre_answer``, and hearing what the network plays before an answer."""
    hold: bool = False
    """Puts the peer on hold (a re-INVITE of ours)."""
    peer_hold: bool = False
    """Notices that the peer puts us on hold."""
    blind_transfer: bool = False
    attended_transfer: bool = False
    referral: bool = False
    """Calls whom a peer refers us to (a received REFER)."""
    replacement: bool = False
    """Takes a call in the place of another (INVITE with Replaces, RFC 3891)."""
    info_digits: bool = False
    """Digits in INFO."""
    session_timer: bool = False
    reliable_provisional: bool = False
    retransmission: bool = False
    """Repeats what UDP lost (RFC 3261 section 17)."""
    keepalive: bool = False
    """Asks the servers of trunks whether they are there (OPTIONS)."""
    redirects: bool = False
    """Follows a 3xx inside of the trunk."""
    ice: bool = False
    """Tries the ways through NATs (RFC 8445)."""
    stun: bool = False
    """Finds out its public address from a STUN server."""
    refuses_options: bool = False
    """Answers OPTIONS with 503 while it takes no new calls, before it ends."""
    certificate_reload: bool = False
    """Reads the files of TLS again without a restart."""


CAPABILITIES: Final[Mapping[StackName, Capabilities]] = MappingProxyType(
    {
        "native": Capabilities(
            transports=("udp", "tcp", "tls"),
            codecs=("pcmu", "pcma", "g722", "opus"),
            digit_ways=("rfc4733", "info", "inband"),
            ipv6=True,
            srtp=True,
            registration=True,
            caller_login=True,
            caller_certificates=True,
            silence=True,
            guard=True,
            attestation=True,
            early_media=True,
            hold=True,
            peer_hold=True,
            blind_transfer=True,
            attended_transfer=True,
            referral=True,
            replacement=True,
            info_digits=True,
            session_timer=True,
            reliable_provisional=True,
            retransmission=True,
            keepalive=True,
            redirects=True,
            stun=True,
            refuses_options=True,
            certificate_reload=True,
        ),
        "pjsip": Capabilities(
            transports=("udp", "tcp", "tls"),
            codecs=("pcmu", "pcma", "g722"),
            digit_ways=("rfc4733", "info"),
            ours=False,
            srtp=True,
            registration=True,
            caller_login=True,
            attestation=True,
            early_media=True,
            hold=True,
            peer_hold=True,
            blind_transfer=True,
            attended_transfer=True,
            info_digits=True,
            session_timer=True,
            reliable_provisional=True,
            retransmission=True,
            keepalive=True,
        ),
        "pyvoip": Capabilities(
            transports=("udp",),
            digit_ways=("rfc4733", "inband"),
            registration=True,
            caller_login=True,
            silence=True,
            guard=True,
            attestation=True,
            early_media=True,
            peer_hold=True,
            info_digits=True,
            retransmission=True,
            keepalive=True,
            redirects=True,
            stun=True,
        ),
    }
)
