"""Who calls, as the headers of an INVITE say it, and how we say it in ours.

P-Asserted-Identity (RFC 3325) and Remote-Party-ID are only as good as the peer that wrote them:
who reads them says which of them the peer is trusted with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from telephony.base.errors import LocalProtocolError
from telephony.sip.header_parameters import list_items, quoted, split_parameters
from telephony.sip.message import HeaderView
from telephony.sip.telephone import is_global, is_telephone, number_of, user_of
from telephony.sip.values import read_address, read_uri

Source = Literal["pai", "rpid", "from"]
CallerIdPolicy = Literal["pai", "rpid", "from", "none"]

_MAX_VALUES: Final = 8
_MAX_VALUE_CHARS: Final = 2_048
_MAX_DISPLAY_CHARS: Final = 128
# RFC 3323 section 4.2; ``session`` hides addresses of media and ``critical`` is about failing.
_WITHHOLDING: Final = frozenset(("id", "header", "user"))
_ANONYMOUS_USERS: Final = frozenset(("anonymous", "restricted", "private"))
# Not withheld, just not known to the network (3GPP TS 29.163 section 7.4.6).
_UNKNOWN_USERS: Final = frozenset(("unavailable", "unknown"))
_ANONYMOUS: Final = '"Anonymous" <sip:anonymous@anonymous.invalid>'
_DOMAIN = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. ``number`` is a number without separators or a user name, "" when not told.

    ``withheld``: the caller asked that nobody is shown ``number`` and ``display``; a network that
    we are trusted by tells them all the same.
    """

    number: str = ""
    display: str = ""
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class _Party:
    """One address of a header; ``anonymous`` when it says that the caller is nobody."""

    number: str
    display: str
    anonymous: bool = False


def asserted_identity(
    headers: HeaderView, trusted: Sequence[Source] = ("pai", "rpid", "from")
) -> Caller:
    """Return the caller after the first header of ``trusted`` that names one.

    Several P-Asserted-Identity values are one caller: the number is taken from the one that has a
    global number, else from the first. Privacy, Remote-Party-ID's privacy and an anonymous From
    withhold the caller whatever is trusted.
    """
    sender = _from_party(headers)
    rpid, rpid_private = _remote_party(headers)
    withheld = _privacy_asked(headers) or rpid_private or sender.anonymous
    parties = {"pai": _asserted(headers), "rpid": rpid, "from": sender}
    for source in trusted:
        party = parties[source]
        if party.number or party.display:
            return Caller(party.number, party.display, withheld)
    return Caller(withheld=withheld)


def _asserted(headers: HeaderView) -> _Party:
    """RFC 3325 section 9.1: one or two values, a SIP URI and a tel URI."""
    parties = [_party(value) for value in _items(headers, "P-Asserted-Identity")]
    named = [party for party in parties if party.number]
    display = next((party.display for party in parties if party.display), "")
    for fits in (is_global, is_telephone):
        for party in named:
            if fits(party.number):
                return _Party(party.number, display)
    return _Party(named[0].number if named else "", display)


def _remote_party(headers: HeaderView) -> tuple[_Party, bool]:
    """Return the calling party of Remote-Party-ID, and whether it asks for privacy."""
    for value in _items(headers, "Remote-Party-ID"):
        _, parameters = split_parameters(value)
        if parameters.get("party", "calling").lower() == "calling":
            private = parameters.get("privacy", "off").lower() not in ("off", "none", "")
            return _party(value), private
    return _Party("", ""), False


def _from_party(headers: HeaderView) -> _Party:
    value = headers.get("From", "")
    return _party(value) if len(value) <= _MAX_VALUE_CHARS else _Party("", "")


def _party(value: str) -> _Party:
    address = read_address(value)
    uri = read_uri(address.uri) if address is not None else None
    if address is None or uri is None:
        return _Party("", "")
    number = number_of(address.uri)
    host = (uri.host or "").lower()
    if number.lower() in _ANONYMOUS_USERS or host == "anonymous.invalid":
        return _Party("", "", anonymous=True)
    if number.lower() in _UNKNOWN_USERS:
        number = ""
    return _Party(number, address.display[:_MAX_DISPLAY_CHARS])


def _privacy_asked(headers: HeaderView) -> bool:
    """RFC 3323 section 4.2: words separated by ``;``, by commas in practice."""
    words = {
        word.strip().lower()
        for value in headers.get_all("Privacy")
        for word in value[:_MAX_VALUE_CHARS].replace(",", ";").split(";")
    }
    return not words.isdisjoint(_WITHHOLDING)


def _items(headers: HeaderView, name: str) -> list[str]:
    return list_items(headers, name, _MAX_VALUES, _MAX_VALUE_CHARS)


def caller_id_headers(
    number: str, display: str, policy: CallerIdPolicy, withheld: bool, domain: str
) -> tuple[str, list[tuple[str, str]]]:
    """Return our From value, without its tag, and the headers that go with it.

    ``domain`` is a host with an optional port. ``pai`` and ``rpid`` assert the caller in that
    header besides the From, ``from`` in the From alone, ``none`` nowhere: the From is anonymous.
    A withheld caller has an anonymous From and ``Privacy: id``; the header of ``pai`` or ``rpid``
    still tells the network who it is (RFC 3325 section 7).

    Raises:
        LocalProtocolError: ``domain`` is no host.
    """
    if _DOMAIN.fullmatch(domain) is None:
        raise LocalProtocolError(f"{domain!r} is not a host")
    name_addr = _name_addr(number, display, domain)
    known = bool(number) and policy != "none"
    headers: list[tuple[str, str]] = []
    if known and policy == "pai":
        headers.append(("P-Asserted-Identity", name_addr))
    elif known and policy == "rpid":
        privacy = "full" if withheld else "off"
        value = f"{name_addr};party=calling;screen=yes;privacy={privacy}"
        headers.append(("Remote-Party-ID", value))
    if withheld and policy != "none":
        headers.append(("Privacy", "id"))
    return name_addr if known and not withheld else _ANONYMOUS, headers


def _name_addr(number: str, display: str, domain: str) -> str:
    # user=phone tells that the user part is a number and not the name of an account.
    phone = ";user=phone" if is_global(number) else ""
    name = f"{quoted(display[:_MAX_DISPLAY_CHARS])} " if display else ""
    return f"{name}<sip:{user_of(number)}@{domain}{phone}>"
