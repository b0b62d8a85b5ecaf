"""What a peer is asked to call (Refer-To), and what a peer may ask us to call."""

from __future__ import annotations

from collections.abc import Iterable

from telephony.base.interfaces import LegFacts
from telephony.dialplan.patterns import Pattern, normalise_number, number_pattern, text_pattern
from telephony.dialplan.targets import call_target, is_uri


def refer_uri_at_peer(facts: LegFacts, target: str) -> str:
    """Return the URI of a Refer-To: numbers are the peer's own to route."""
    if is_uri(target):
        return target
    host = f"[{facts.source_ip}]" if ":" in facts.source_ip else facts.source_ip
    return f"sip:{target}@{host}"


def nobody_refers(facts: LegFacts, target_uri: str) -> str:
    """Decline every REFER: who may send one may spend our money."""
    return ""


class AllowedTargets:
    """What peers may refer us to: called with the leg's facts and a URI, returns whom to dial.

    A pattern of a number (``+1555*``, as in a dialplan) is compared with the URI's user part, and
    the number is dialled whatever host was named; one that begins with ``sip:`` (exact, or with a
    ``*`` at the end) or with ``~`` (a regex) is compared with the whole URI. Empty: declined. A
    pattern that is none raises ValueError with message and remedy.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._numbers: list[Pattern] = []
        self._uris: list[Pattern] = []
        for text in patterns:
            if text.startswith(("sip:", "sips:", "~")):
                self._uris.append(text_pattern(text))
            else:
                self._numbers.append(number_pattern(text))

    def __call__(self, facts: LegFacts, target_uri: str) -> str:
        number = normalise_number(_user_of(target_uri))
        try:
            if number and any(pattern.matches(number) for pattern in self._numbers):
                return call_target(number)
            if any(pattern.matches(target_uri) for pattern in self._uris):
                return call_target(target_uri)
        except ValueError:
            # A user that is no number, or a URI that can't be dialled.
            return ""
        return ""


def _user_of(uri: str) -> str:
    scheme, _, rest = uri.partition(":")
    if scheme.lower() == "tel":
        return rest
    return rest.rpartition("@")[0]
