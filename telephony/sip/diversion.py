"""Who was called before the call reached us: History-Info (RFC 7044) and Diversion (RFC 5806)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

from telephony.sip.header_parameters import list_items, split_parameters
from telephony.sip.message import HeaderView
from telephony.sip.reason import parse_reasons
from telephony.sip.telephone import number_of
from telephony.sip.values import read_address, read_number

_MAX_ENTRIES: Final = 32
_MAX_VALUE_CHARS: Final = 8_192
_MAX_COUNTER: Final = 99
_INDEX = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){0,15}")
_REASON_WORD = re.compile(r"[a-z0-9.!%*_+`'~-]{1,32}")

# RFC 7544 section 7.1, the other way round.
_REASON_OF_CAUSE: Final[dict[int, str]] = {
    302: "unconditional",
    408: "no-answer",
    480: "deflection",
    486: "user-busy",
    487: "deflection",
    503: "unavailable",
}


@dataclass(frozen=True, slots=True)
class Diversion:
    """The last diversion of a call.

    ``number`` diverted the call to us, "" when it wants to stay unknown. ``reason`` is a word of
    RFC 5806 such as ``user-busy``, ``no-answer`` or ``unconditional``, else ``unknown``.
    ``counter`` is how often the call was diverted in all.
    """

    number: str
    reason: str = "unknown"
    counter: int = 1
    withheld: bool = False


def diverted_from(headers: HeaderView) -> Diversion | None:
    """Return the last diversion; None when there was none, or none that can be read.

    History-Info is the newer of the two and counts when both tell of a diversion (RFC 7544
    section 3); a History-Info without one, as proxies write for every call, leaves it to Diversion.
    """
    return _from_history(headers) or _from_diversion(headers)


def _from_diversion(headers: HeaderView) -> Diversion | None:
    """RFC 5806 section 4: the topmost value is the latest, counters of all add up."""
    latest: Diversion | None = None
    counter = 0
    for item in list_items(headers, "Diversion", _MAX_ENTRIES, _MAX_VALUE_CHARS):
        address = read_address(item)
        number = number_of(address.uri) if address is not None else ""
        if not number:
            continue
        _, parameters = split_parameters(item)
        counter += read_number(parameters.get("counter"), _MAX_COUNTER) or 1
        if latest is None:
            latest = _read_diversion(number, parameters)
    if latest is None:
        return None
    return Diversion(latest.number, latest.reason, min(counter, _MAX_COUNTER), latest.withheld)


def _read_diversion(number: str, parameters: dict[str, str]) -> Diversion:
    # privacy: full, name (the number may be shown), uri or off.
    withheld = parameters.get("privacy", "").lower() in ("full", "uri")
    word = parameters.get("reason", "").lower()
    reason = word if _REASON_WORD.fullmatch(word) else "unknown"
    return Diversion("" if withheld else number, reason, withheld=withheld)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One target of the call. ``source`` is the index of the one that it came from by ``mp``."""

    index: tuple[int, ...]
    number: str
    source: tuple[int, ...] | None
    cause: int | None
    failure: int | None
    withheld: bool


def _from_history(headers: HeaderView) -> Diversion | None:
    entries = sorted(_entries(headers), key=lambda entry: entry.index)
    found = _by_mapping(entries) or _by_reason(entries)
    if found is None:
        return None
    diverting, cause, counter = found
    reason = _REASON_OF_CAUSE.get(cause or 0, "unknown")
    number = "" if diverting.withheld else diverting.number
    return Diversion(number, reason, min(counter, _MAX_COUNTER), diverting.withheld)


def _by_mapping(entries: list[_Entry]) -> tuple[_Entry, int | None, int] | None:
    """RFC 7044 section 5: ``mp`` marks a target as another user than the entry that it names."""
    by_index = {entry.index: entry for entry in entries}
    mapped = [
        (entry, by_index[entry.source])
        for entry in entries
        if entry.source in by_index and entry.source != entry.index
    ]
    if not mapped:
        return None
    target, diverting = mapped[-1]
    # RFC 4458: the cause stands with the new target; else the old one tells how it failed.
    return diverting, target.cause or diverting.failure, len(mapped)


def _by_reason(entries: list[_Entry]) -> tuple[_Entry, int | None, int] | None:
    """RFC 4244, before ``mp``: an entry is left for another user with the cause or a Reason."""
    diversions: list[tuple[_Entry, int | None]] = []
    for before, after in pairwise(entries):
        if before.number == after.number:
            continue
        if cause := after.cause or before.failure:
            diversions.append((before, cause))
    if not diversions:
        return None
    diverting, cause = diversions[-1]
    return diverting, cause, len(diversions)


def _entries(headers: HeaderView) -> Iterator[_Entry]:
    for item in list_items(headers, "History-Info", _MAX_ENTRIES, _MAX_VALUE_CHARS):
        entry = _read_entry(item)
        if entry is not None:
            yield entry


def _read_entry(item: str) -> _Entry | None:
    address = read_address(item)
    _, parameters = split_parameters(item)
    index = _read_index(parameters.get("index", ""))
    if address is None or index is None:
        return None
    uri, _, uri_headers = address.uri.partition("?")
    number = number_of(uri)
    if not number:
        return None
    fields = _uri_headers(uri_headers)
    reasons = parse_reasons([fields["reason"]] if "reason" in fields else [])
    failure = next((r.cause for r in reasons if r.protocol == "SIP"), None)
    cause = read_number(_uri_parameter(uri, "cause"), 699)
    withheld = "history" in fields.get("privacy", "").lower()
    source = _read_index(parameters.get("mp", ""))
    return _Entry(index, number, source, cause, failure, withheld)


def _read_index(text: str) -> tuple[int, ...] | None:
    if _INDEX.fullmatch(text) is None:
        return None
    return tuple(int(part) for part in text.split("."))


def _uri_headers(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split("&"))
    return {name.lower(): unquote(value) for name, _, value in pairs if name}


def _uri_parameter(uri: str, name: str) -> str | None:
    for parameter in uri.rpartition("@")[2].split(";")[1:]:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == name:
            return value.strip()
    return None
