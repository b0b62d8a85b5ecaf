"""Why a call ended, in the Reason header (RFC 3326) and as a Q.850 cause (RFC 3398)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from telephony.sip.header_parameters import quoted, split_parameters
from telephony.sip.status import reason_phrase
from telephony.sip.values import read_number, split_list

_MAX_VALUE_CHARS: Final = 1_024
_MAX_VALUES: Final = 16
_MAX_TEXT_CHARS: Final = 256
_MAX_Q850: Final = 127
_MAX_CAUSE: Final = 999
_PROTOCOLS: Final = frozenset(("Q.850", "SIP", "STIR"))

Q850_NAMES: Final[dict[int, str]] = {
    1: "Unallocated number",
    2: "No route to specified transit network",
    3: "No route to destination",
    4: "Send special information tone",
    5: "Misdialled trunk prefix",
    6: "Channel unacceptable",
    7: "Call awarded and being delivered in an established channel",
    8: "Preemption",
    9: "Preemption, circuit reserved for reuse",
    16: "Normal call clearing",
    17: "User busy",
    18: "No user responding",
    19: "No answer from user",
    20: "Subscriber absent",
    21: "Call rejected",
    22: "Number changed",
    23: "Redirection to new destination",
    25: "Exchange routing error",
    26: "Non-selected user clearing",
    27: "Destination out of order",
    28: "Invalid number format",
    29: "Facility rejected",
    30: "Response to status enquiry",
    31: "Normal, unspecified",
    34: "No circuit available",
    38: "Network out of order",
    39: "Permanent frame mode connection out of service",
    40: "Permanent frame mode connection operational",
    41: "Temporary failure",
    42: "Switching equipment congestion",
    43: "Access information discarded",
    44: "Requested circuit not available",
    46: "Precedence call blocked",
    47: "Resource unavailable, unspecified",
    49: "Quality of service not available",
    50: "Requested facility not subscribed",
    53: "Outgoing calls barred within CUG",
    55: "Incoming calls barred within CUG",
    57: "Bearer capability not authorized",
    58: "Bearer capability not presently available",
    62: "Inconsistency in access information and subscriber class",
    63: "Service or option not available, unspecified",
    65: "Bearer capability not implemented",
    66: "Channel type not implemented",
    69: "Requested facility not implemented",
    70: "Only restricted digital information bearer capability is available",
    79: "Service or option not implemented, unspecified",
    81: "Invalid call reference value",
    82: "Identified channel does not exist",
    83: "A suspended call exists, but this call identity does not",
    84: "Call identity in use",
    85: "No call suspended",
    86: "Call having the requested call identity has been cleared",
    87: "User not member of CUG",
    88: "Incompatible destination",
    90: "Non-existent CUG",
    91: "Invalid transit network selection",
    95: "Invalid message, unspecified",
    96: "Mandatory information element is missing",
    97: "Message type non-existent or not implemented",
    98: "Message not compatible with call state",
    99: "Information element non-existent or not implemented",
    100: "Invalid information element contents",
    101: "Message not compatible with call state",
    102: "Recovery on timer expiry",
    103: "Parameter non-existent or not implemented, passed on",
    110: "Message with unrecognized parameter, discarded",
    111: "Protocol error, unspecified",
    127: "Interworking, unspecified",
}

# RFC 3398 section 8.2.6.1. 16 is no failure: it ends an answered call.
_Q850_TO_STATUS: Final[dict[int, int]] = (
    dict.fromkeys((1, 2, 3, 26), 404)
    | {17: 486, 18: 408, 19: 480, 20: 480, 21: 403, 22: 410, 23: 410, 27: 502, 28: 484, 29: 501}
    | {31: 480, 65: 488, 70: 488, 79: 501, 102: 504, 111: 500, 127: 500}
    | dict.fromkeys((55, 57, 87), 403)
    | dict.fromkeys((34, 38, 41, 42, 47, 58, 88), 503)
)

# Classes of Q.850 section 2.2.5: normal (two), resources, service not available, service not
# implemented, invalid message, protocol error, interworking.
_CLASS_STATUS: Final = {0: 480, 1: 480, 2: 503, 3: 503, 4: 501, 5: 500, 6: 500, 7: 500}

# RFC 3398 section 7.2.4.1; 488 and 606 are told apart there by their Warning, 31 is the default.
# 607 and 608 are refusals like 603 (RFC 8197, RFC 8688).
_STATUS_TO_Q850: Final[dict[int, int]] = (
    dict.fromkeys((401, 402, 403, 407, 603, 607, 608), 21)
    | dict.fromkeys((404, 485, 604), 1)
    | dict.fromkeys((413, 414, 416, 420, 421, 423, 505, 513), 127)
    | dict.fromkeys((400, 481, 500, 503), 41)
    | dict.fromkeys((406, 415, 501), 79)
    | dict.fromkeys((408, 504), 102)
    | dict.fromkeys((482, 483), 25)
    | dict.fromkeys((486, 600), 17)
    | dict.fromkeys((487, 488, 606), 31)
    | {405: 63, 410: 22, 480: 18, 484: 28, 502: 38}
)

_WORD_TO_Q850: Final[dict[str, int]] = {
    "caller_hung_up": 16,
    "caller_cancelled": 16,
    "callee_hung_up": 16,
    "bot_hung_up": 16,
    "dialplan_hung_up": 16,
    "operator_hung_up": 16,
    "transferred": 16,
    "replaced": 16,
    "dial_cancelled": 16,
    "callee_busy": 17,
    "callee_rejected": 21,
    "callee_not_found": 1,
    "no_answer": 19,
    "unreachable": 3,
    "dial_failed": 41,
    "transfer_failed": 41,
    "dialplan_rejected": 21,
    "no_route": 3,
    "no_capacity": 34,
    "draining": 41,
    "drain_deadline": 41,
    "no_media_ports": 47,
    "media_not_acceptable": 88,
    "malformed_offer": 100,
    "model_unavailable": 41,
    "model_lost": 41,
    "media_timeout": 102,
    "max_duration": 31,
    "silent_caller": 31,
    "no_ack": 102,
    "signalling_failed": 41,
    "not_hosted": 79,
    "internal_error": 41,
    # Outcomes of dialling, when a leg is told them as they are.
    "busy": 17,
    "rejected": 21,
    "not_found": 1,
    "failed": 41,
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One value of a Reason header. ``cause`` is None when the value had none that is a number."""

    protocol: str
    cause: int | None = None
    text: str = ""

    def __str__(self) -> str:
        """Write the value, ``Q.850;cause=16;text="Normal call clearing"``."""
        cause = "" if self.cause is None else f";cause={self.cause}"
        text = f";text={quoted(self.text)}" if self.text else ""
        return f"{self.protocol}{cause}{text}"


def q850(cause: int) -> Reason:
    """Return the reason for a Q.850 cause with its name; one without a name goes without text."""
    return Reason("Q.850", cause, Q850_NAMES.get(cause, ""))


def parse_reason(value: str) -> Reason | None:
    """Read the first readable value of a Reason header; None when there is none."""
    return next(iter(parse_reasons((value,))), None)


def parse_reasons(values: Iterable[str]) -> list[Reason]:
    """Read every value of the Reason headers of a message, in order; malformed ones are skipped.

    Protocols are written as registered (``Q.850``, ``SIP``, ``STIR``) whatever their case was.
    """
    found: list[Reason] = []
    for value in values:
        if len(value) > _MAX_VALUE_CHARS:
            continue
        for item in split_list(value):
            reason = _read(item)
            if reason is not None and len(found) < _MAX_VALUES:
                found.append(reason)
    return found


def _read(item: str) -> Reason | None:
    protocol, parameters = split_parameters(item)
    if not protocol or not protocol.isascii() or any(c in ' \t<>"=' for c in protocol):
        return None
    known = protocol.upper()
    cause = read_number(parameters.get("cause"), _MAX_Q850 if known == "Q.850" else _MAX_CAUSE)
    text = parameters.get("text", "")[:_MAX_TEXT_CHARS]
    return Reason(known if known in _PROTOCOLS else protocol, cause, text)


def status_to_q850(status: int) -> int:
    """Return the cause that a failure of a call has in the telephone network.

    A status without one of its own counts as the first of its class (RFC 3261 section 8.1.3.2),
    above 600 as a refusal; 1xx to 3xx are no failures: 31.
    """
    if cause := _STATUS_TO_Q850.get(status):
        return cause
    if status < 400:
        return 31
    return 21 if status >= 600 else 41


def q850_to_status(cause: int) -> int | None:
    """Return the status that a cause of the telephone network means; None for 16, no failure.

    A cause without one of its own counts as the last of its class, the "unspecified" one.
    """
    if cause == 16:
        return None
    return _Q850_TO_STATUS.get(cause) or _CLASS_STATUS.get(cause >> 4, 500)


def reason_for(cause_word: str, status: int = 0) -> str:
    """Return the Reason value that says ``cause_word`` in a BYE, a CANCEL or a response.

    ``cause_word`` is a word of the call records or of a failed dialling. Of a word that is not
    known here ``status``, when given, is told as a Q.850 cause, else "normal, unspecified". A call
    that another leg answered is told as RFC 3326 section 3.1 has it, so that phones show no
    missed call.
    """
    if cause_word == "answered_elsewhere":
        return str(Reason("SIP", 200, "Call completed elsewhere"))
    cause = _WORD_TO_Q850.get(cause_word)
    if cause is None:
        cause = status_to_q850(status)
    return str(q850(cause))


def sip_reason(status: int) -> str:
    """Return ``SIP;cause=486;text="Busy Here"``: the status as a Reason value."""
    return str(Reason("SIP", status, reason_phrase(status)))
