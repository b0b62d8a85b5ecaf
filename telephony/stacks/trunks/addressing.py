"""URIs and header values of a trunk: who we are to it, and how it writes numbers."""

from __future__ import annotations

import re

from telephony.sip.caller_id import caller_id_headers
from telephony.sip.telephone import is_telephone, user_of
from telephony.sip.values import bracketed_host, read_uri
from telephony.stacks.numbers import NumberPlan
from telephony.stacks.trunk import NumberPolicy, Trunk


def host_of(uri: str, *, with_port: bool = True) -> str:
    """Return the host (and port) of a SIP URI as they stand in another URI."""
    parsed = read_uri(uri)
    if parsed is None:
        return ""
    host = bracketed_host(parsed.host)
    return f"{host}:{parsed.port}" if with_port and parsed.port else host


def server_of(host: str) -> str:
    """Return the SIP URI of a host."""
    return f"sip:{bracketed_host(host)}"


def domain_of(trunk: Trunk, hop: str) -> str:
    """Return the host behind the numbers that we call over ``hop``."""
    if trunk.domain:
        return trunk.domain
    # Behind an outbound proxy the domain is that of the servers.
    return host_of(trunk.servers[0] if trunk.outbound_proxy and trunk.servers else hop)


def address_of_record(trunk: Trunk, hop: str) -> str:
    """Return the URI that we register, and that sends our requests outside of calls."""
    user = f"{user_of(trunk.username)}@" if trunk.username else ""
    domain = domain_of(trunk, hop)
    return f"sip:{user}{domain}"


def routes_of(trunk: Trunk) -> tuple[str, ...]:
    """Return the Route values that lead through the outbound proxy (RFC 3261 section 8.1.2)."""
    return (f"<{trunk.outbound_proxy};lr>",) if trunk.outbound_proxy else ()


def plan_of(policy: NumberPolicy) -> NumberPlan:
    return NumberPlan(
        region=policy.region,
        national_prefix=policy.national_prefix,
        international_prefix=policy.international_prefix,
        plain=policy.format == "plain",
        max_short_digits=policy.max_short_digits,
    )


def request_uri(trunk: Trunk, plan: NumberPlan, target: str, hop: str) -> str:
    """Return whom we call: a number as the trunk writes it, or a SIP URI as it is."""
    if is_uri(target):
        return target
    return f"sip:{user_of(trunk_number(trunk, plan, target))}@{domain_of(trunk, hop)}"


def trunk_number(trunk: Trunk, plan: NumberPlan, number: str) -> str:
    """Return a number as we write it to the trunk, with its prefixes."""
    policy = trunk.numbers
    text = plan.for_trunk(plan.to_e164(number), policy.format)
    if policy.strip_prefix and text.startswith(policy.strip_prefix):
        text = text[len(policy.strip_prefix) :]
    return policy.add_prefix + text


def caller_headers(
    trunk: Trunk, plan: NumberPlan, number: str, name: str, hop: str
) -> tuple[str, str, list[tuple[str, str]]]:
    """Return the number shown, our From value and the headers that go with it.

    ``number`` and ``name`` are those of the call, "" for the trunk's own.
    """
    policy = trunk.caller_id
    if not (number and policy.pass_through):
        number, name = policy.number, name or policy.name
    shown = plan.for_trunk(plan.to_e164(number), trunk.numbers.format) if number else ""
    domain = domain_of(trunk, hop)
    from_value, headers = caller_id_headers(
        shown or trunk.username, name, policy.header, policy.withheld, domain
    )
    if policy.from_user == "username" and not policy.withheld:
        display = re.match(r'\s*("(?:[^"\\]|\\.)*"\s*)?', from_value)
        from_value = f"{display.group() if display else ''}<{address_of_record(trunk, hop)}>"
    return shown, from_value, headers


def is_uri(target: str) -> bool:
    return target[:4].lower() == "sip:" or target[:5].lower() == "sips:"


def is_dialable(target: str) -> bool:
    """True for a number or a SIP URI with a host."""
    return is_telephone(target) if not is_uri(target) else read_uri(target) is not None
