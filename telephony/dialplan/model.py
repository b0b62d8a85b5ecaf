"""What a dialplan is made of: the facts of a call, conditions on them, extensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from telephony.base.errors import Problem
from telephony.dialplan.actions import Action
from telephony.dialplan.patterns import Exact, Pattern, covers, is_anything, normalise_number

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of a call when its INVITE arrives.

    ``called`` and ``caller`` are the user parts, percent-decoded; ``trunk`` is empty when the call
    came over none; header names are compared without case, and the first value counts.
    ``diverted_from`` is the number that forwarded the call, ``attestation`` the verified level of
    RFC 8588 (``A``, ``B`` or ``C``); both are empty when there is none.
    """

    called: str
    caller: str = ""
    source_ip: str = ""
    trunk: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    diverted_from: str = ""
    attestation: str = ""


NUMBER_SUBJECTS = ("called", "caller", "diverted_from")
"""The subjects whose values are numbers and whose patterns may hold an X."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """A call's facts in the form in which conditions compare them.

    ``values`` maps ``called``, ``caller``, ``trunk``, ``diverted_from``, ``attestation`` and
    ``header x-name`` (lower case) to text; what a call has not is missing.
    """

    values: Mapping[str, str]
    source_version: int
    source_bits: int

    @classmethod
    def of(cls, call: CallFacts) -> Subjects:
        values = {f"header {name.lower()}": value for name, value in call.headers.items()}
        values["called"] = normalise_number(call.called)
        values["caller"] = normalise_number(call.caller)
        if call.trunk:
            values["trunk"] = call.trunk
        if call.diverted_from:
            values["diverted_from"] = normalise_number(call.diverted_from)
        if call.attestation:
            values["attestation"] = call.attestation
        return cls(values, *_address_bits(call.source_ip))


def _address_bits(text: str) -> tuple[int, int]:
    """Return IP version and address as a number; (0, 0) is no address and in no network."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return 0, 0
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, int(address)


@dataclass(frozen=True, slots=True)
class TextCondition:
    """Holds when any of the patterns matches the subject's value."""

    subject: str
    patterns: tuple[Pattern, ...]

    def holds(self, subjects: Subjects) -> bool:
        value = subjects.values.get(self.subject)
        if value is None:
            return False
        # A plain loop: any() with a generator doubles the time to route a call.
        for pattern in self.patterns:  # noqa: SIM110
            if pattern.matches(value):
                return True
        return False

    def why_not(self, subjects: Subjects) -> str:
        value = subjects.values.get(self.subject)
        wanted = " or ".join(pattern.text for pattern in self.patterns)
        if value is None:
            return f"the call has no {self.subject} (wanted {wanted})"
        return f"{self.subject} {value or '(empty)'} is not {wanted}{self._plus_hint(value)}"

    def _plus_hint(self, value: str) -> str:
        other = value.removeprefix("+") if value.startswith("+") else f"+{value}"
        is_number = self.subject in NUMBER_SUBJECTS and value.strip("+").isdigit()
        if is_number and any(pattern.matches(other) for pattern in self.patterns):
            return " (the leading + counts)"
        return ""

    def covers(self, other: Condition | None) -> bool:
        """True when this holds for every call for which ``other`` on the same subject holds."""
        if other is None:
            # Every call has a called and a caller number, if only an empty one.
            everyone = self.subject in ("called", "caller")
            return everyone and any(is_anything(pattern) for pattern in self.patterns)
        return isinstance(other, TextCondition) and all(
            any(covers(wide, narrow) for wide in self.patterns) for narrow in other.patterns
        )


@dataclass(frozen=True, slots=True)
class SourceCondition:
    """Holds when the call's signalling comes from one of the networks."""

    networks: tuple[Network, ...]
    subject: Literal["source"] = "source"
    _masked: tuple[tuple[int, int, int], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        masked = tuple((n.version, int(n.netmask), int(n.network_address)) for n in self.networks)
        object.__setattr__(self, "_masked", masked)

    def holds(self, subjects: Subjects) -> bool:
        bits, version = subjects.source_bits, subjects.source_version
        return any(v == version and bits & mask == network for v, mask, network in self._masked)

    def why_not(self, subjects: Subjects) -> str:
        wanted = " or ".join(map(str, self.networks))
        if not subjects.source_version:
            return f"the call has no source address (wanted {wanted})"
        kind = IPv6Address if subjects.source_version == 6 else ip_address
        return f"source {kind(subjects.source_bits)} is not in {wanted}"

    def covers(self, other: Condition | None) -> bool:
        return isinstance(other, SourceCondition) and all(
            any(_contains(wide, narrow) for wide in self.networks) for narrow in other.networks
        )


def _contains(wide: Network, narrow: Network) -> bool:
    if isinstance(wide, IPv4Network):
        return isinstance(narrow, IPv4Network) and narrow.subnet_of(wide)
    return isinstance(narrow, IPv6Network) and narrow.subnet_of(wide)


Condition = TextCondition | SourceCondition


@dataclass(frozen=True, slots=True)
class Extension:
    """One rule: when all conditions hold, these actions are done."""

    name: str
    conditions: tuple[Condition, ...]
    actions: tuple[Action, ...]
    file: str
    line: int

    def takes(self, subjects: Subjects) -> bool:
        for condition in self.conditions:  # noqa: SIM110 (speed)
            if not condition.holds(subjects):
                return False
        return True

    def by_subject(self) -> dict[str, Condition]:
        return {condition.subject: condition for condition in self.conditions}

    def covers(self, theirs: Mapping[str, Condition]) -> bool:
        """True when this takes every call for which another's conditions, by subject, hold."""
        for condition in self.conditions:  # noqa: SIM110 (large dialplans compare all with all)
            if not condition.covers(theirs.get(condition.subject)):
                return False
        return True

    def exact_called(self) -> tuple[str, ...] | None:
        """The called numbers this extension takes, or None when it can't list them."""
        for condition in self.conditions:
            if condition.subject == "called" and isinstance(condition, TextCondition):
                exact = tuple(p.value for p in condition.patterns if isinstance(p, Exact))
                return exact if len(exact) == len(condition.patterns) else None
        return None


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that only the outside can check: a sound file, an agent or a trunk."""

    name: str
    file: str
    line: int
    column: int
    key: str

    def problem(self, message: str, fix: str = "") -> Problem:
        return Problem(self.file, self.line, self.column, self.key, message, fix)


@dataclass(frozen=True, slots=True)
class VariableUse:
    """A variable that ``connect_model`` sets for an agent."""

    agent: str
    variable: Reference
