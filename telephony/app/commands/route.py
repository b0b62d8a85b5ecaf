"""``telephony route``: which extension takes a call, and why the others don't."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from telephony.app.preflight import load_routing
from telephony.dialplan import CallFacts, Dialplan, Route, RuleVerdict
from telephony.dialplan.actions import describe

HELP = "explain which extension of the dialplan takes a call"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("called", metavar="NUMBER", help="the number that is dialled")
    parser.add_argument("--from", dest="caller", default="", metavar="NUMBER", help="the caller")
    parser.add_argument("--source", type=_source, metavar="IP", help="where the call comes from")
    parser.add_argument("--trunk", default="", metavar="NAME", help="the trunk it comes over")
    parser.add_argument(
        "--diverted-from", default="", metavar="NUMBER", help="the number that forwarded the call"
    )
    parser.add_argument(
        "--attestation",
        default="",
        choices=("A", "B", "C"),
        help="how the caller's number was attested (STIR/SHAKEN)",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="'NAME: VALUE'",
        help="a SIP header of the call; may be repeated",
    )
    parser.add_argument("--context", metavar="NAME", help="start here instead of dialplan.context")
    parser.add_argument("--config", type=Path, metavar="FILE", help="config/telephony.yaml")


def run(args: argparse.Namespace) -> int:
    """Return 0 when an extension takes the call, 1 when it gets 404, 2 for a wrong context."""
    settings, dialplan = load_routing(args.config, os.environ)
    call = CallFacts(
        called=args.called,
        caller=args.caller,
        source_ip=args.source or "",
        trunk=args.trunk,
        headers=dict(args.header),
        diverted_from=args.diverted_from,
        attestation=args.attestation,
    )
    context = args.context or settings.dialplan.context
    if context not in dialplan.contexts:
        known = ", ".join(dialplan.contexts)
        print(f"telephony route: there is no context {context!r}; known: {known}", file=sys.stderr)
        return 2
    print("\n".join(explanation(dialplan, call, context)))
    return 0 if dialplan.route(call, context) else 1


def explanation(dialplan: Dialplan, call: CallFacts, context: str) -> list[str]:
    """Return the lines that tell how a call fares in a context."""
    verdicts = dialplan.explain(call, context)
    route = dialplan.route(call, context)
    lines = [_describe_call(call, context), ""]
    lines += _rows(verdicts)
    return [*lines, "", _outcome(route)]


def _describe_call(call: CallFacts, context: str) -> str:
    parts = [f"Call to {call.called}"]
    parts += [f"from {call.caller}"] if call.caller else []
    parts += [f"at {call.source_ip}"] if call.source_ip else []
    parts += [f"over trunk {call.trunk}"] if call.trunk else []
    parts += [f"diverted from {call.diverted_from}"] if call.diverted_from else []
    parts += [f"attested {call.attestation}"] if call.attestation else []
    parts += [f"with {name}: {value}" for name, value in call.headers.items()]
    return f"{' '.join(parts)}, in context {context}:"


def _rows(verdicts: Sequence[RuleVerdict]) -> list[str]:
    places = [f"{verdict.file}:{verdict.line}" for verdict in verdicts]
    name_width = max((len(verdict.extension) for verdict in verdicts), default=0)
    place_width = max(map(len, places), default=0)
    return [
        f"  {'->' if verdict.taken else '  '} {verdict.extension:<{name_width}}  "
        f"{place:<{place_width}}  {verdict.reason or 'takes the call'}"
        for verdict, place in zip(verdicts, places, strict=True)
    ]


def _outcome(route: Route | None) -> str:
    if route is None:
        return "No extension takes the call: it gets 404."
    return "\n".join([f"{route.extension} does:", *(f"  {describe(a)}" for a in route.actions)])


def _source(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no IP address") from None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no header; write 'X-Name: value'")
    return name.strip(), value.strip()
