"""Telephone numbers as trunks write them, and as we do: E.164 with a ``+``.

What is no public number stays as it is: extensions, emergency and service numbers, codes with
``*`` or ``#``, names. The plans of the countries are those of the library ``phonenumbers``; how a
number was read and written is remembered, because a call centre sees the same ones again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
)

from telephony.sip.telephone import bare_number, is_global, is_telephone

NumberFormat = Literal["e164", "plain", "national", "international"]

_MAX_CHARS: Final = 40
_MAX_REMEMBERED: Final = 8_192


@dataclass(frozen=True, slots=True)
class NumberPlan:
    """How numbers are dialled where a trunk is.

    ``region`` is an ISO country code such as ``US`` or ``DE``: whose national numbers those without
    a country code are; None leaves them alone. ``national_prefix`` and ``international_prefix``
    replace the country's own (``0`` and ``00`` in most). ``plain`` says that the peer leaves out
    the ``+``: every number longer than ``max_short_digits`` begins with its country code. Up to
    ``max_short_digits`` digits are an extension or a short number in every plan.

    Raises ValueError for a region that there is not, or a prefix that is not all digits.
    """

    region: str | None = None
    national_prefix: str = ""
    international_prefix: str = ""
    plain: bool = False
    max_short_digits: int = 6

    def __post_init__(self) -> None:
        for prefix in (self.national_prefix, self.international_prefix):
            if prefix and not (prefix.isascii() and prefix.isdecimal()):
                raise ValueError(f"{prefix!r} is not a prefix")
        if self.region is not None:
            if self.region not in phonenumbers.SUPPORTED_REGIONS:
                raise ValueError(f"{self.region!r} is not a region")
            # Its rules are a module of their own: read it now, not in the first call.
            PhoneMetadata.metadata_for_region(self.region)

    def to_e164(self, text: str) -> str:
        """Return the number with ``+`` and country code; what is no public number unchanged."""
        return _to_e164(self, text) if len(text) <= _MAX_CHARS else text

    def for_trunk(self, number: str, number_format: NumberFormat) -> str:
        """Return an E.164 number as the trunk wants it; anything else unchanged.

        ``plain`` is without the ``+``. ``national`` is as dialled within the region, and as
        ``international`` for a number of another country; that is with the prefix, ``00`` when
        no region and no prefix is given.
        """
        if number_format == "e164" or not is_global(number):
            return number
        return number[1:] if number_format == "plain" else _dialled(self, number, number_format)


@lru_cache(_MAX_REMEMBERED)
def _to_e164(plan: NumberPlan, text: str) -> str:
    number = bare_number(text.strip())
    if not is_telephone(number) or "*" in number or "#" in number:
        return text
    if number.startswith("+"):
        return _international(text) or (number if is_global(number) else text)
    if len(number) <= plan.max_short_digits or _is_emergency(number, plan.region):
        return text
    prefix = plan.international_prefix
    if prefix and number.startswith(prefix):
        found = f"+{number.removeprefix(prefix)}"
        return _international(found) or (found if is_global(found) else text)
    if plan.plain:
        found = f"+{number}"
        return _international(found) or (found if is_global(found) else text)
    return _national(plan, number) or text


def _international(text: str) -> str:
    """Read a number with ``+``: ``+49 (0)30 123456`` loses its zero. "" when it is none.

    Of several zeros each reading takes one.
    """
    found = ""
    while (number := _parse(text, None)) is not None and _is_possible(number):
        found = _e164(number)
        if found == text:
            break
        text = found
    return found


def _national(plan: NumberPlan, text: str) -> str:
    """Read a number of the plan's region, or one with its international prefix."""
    if plan.region is None:
        return ""
    prefix = plan.national_prefix
    if prefix and text.startswith(prefix):
        country = phonenumbers.country_code_for_region(plan.region)
        return _international(f"+{country}{text.removeprefix(prefix)}")
    number = _parse(text, plan.region)
    if number is None:
        return ""
    # An abroad that the library does not know in detail is believed, a number at home is not: what
    # looks like one may be an extension of seven digits.
    is_abroad = number.country_code != phonenumbers.country_code_for_region(plan.region)
    if phonenumbers.is_valid_number(number) or (is_abroad and _is_possible(number)):
        found = _e164(number)
        return _international(found) or found
    return ""


@lru_cache(_MAX_REMEMBERED)
def _dialled(plan: NumberPlan, text: str, number_format: NumberFormat) -> str:
    number = _parse(text, None)
    home = phonenumbers.country_code_for_region(plan.region) if plan.region else None
    if number_format == "national" and number is not None and number.country_code == home:
        return _within(plan, number)
    return _international_prefix(plan) + text[1:]


def _within(plan: NumberPlan, number: PhoneNumber) -> str:
    if plan.national_prefix:
        return plan.national_prefix + phonenumbers.national_significant_number(number)
    written = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    return "".join(char for char in written if char.isdecimal())


def _international_prefix(plan: NumberPlan) -> str:
    if plan.international_prefix:
        return plan.international_prefix
    metadata = PhoneMetadata.metadata_for_region(plan.region) if plan.region else None
    if metadata is not None:
        # Where callers choose a carrier the prefix is a pattern, and one of them is preferred.
        for prefix in (metadata.preferred_international_prefix, metadata.international_prefix):
            if prefix and prefix.isdecimal():
                return str(prefix)
    return "00"


def _is_emergency(number: str, region: str | None) -> bool:
    return region is not None and bool(phonenumbers.is_emergency_number(number, region))


def _parse(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        return None


def _is_possible(number: PhoneNumber) -> bool:
    reason = phonenumbers.is_possible_number_with_reason(number)
    return bool(reason == ValidationResult.IS_POSSIBLE)


def _e164(number: PhoneNumber) -> str:
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))
