"""The trunks there are: whose call it is, what is known of it, and whether there is room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network

from telephony.base.interfaces import LegFacts
from telephony.sip.admission import Peer
from telephony.sip.caller_id import asserted_identity
from telephony.sip.credentials import Credentials
from telephony.sip.diversion import diverted_from
from telephony.sip.events import InviteReceived
from telephony.sip.telephone import number_of, user_of
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.numbers import NumberPlan
from telephony.stacks.peer_policy import at_the_peers_host, facts_of
from telephony.stacks.trunk import IpNetwork, Trunk
from telephony.stacks.trunks.addressing import is_uri, plan_of, request_uri, trunk_number
from telephony.stacks.trunks.load import CallDirection, CallSlot, HasEnded
from telephony.stacks.trunks.status import TrunkStatus


@dataclass(frozen=True, slots=True)
class TrunkChanges:
    """Names of trunks that a reload brought, took away or changed."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class TrunkDirectory:
    """Every trunk by name, in the order of the configuration, and how it is doing."""

    def __init__(self, trunks: Sequence[Trunk] = ()) -> None:
        self.trunks: dict[str, Trunk] = {}
        self.status: dict[str, TrunkStatus] = {}
        self._plans: dict[str, NumberPlan] = {}
        self._no_plan = NumberPlan()
        self._learned: dict[str, frozenset[IpNetwork]] = {}
        self._servers: dict[str, frozenset[IpNetwork]] = {}
        self.replace(trunks)

    def replace(self, trunks: Sequence[Trunk]) -> TrunkChanges:
        """Take these trunks from now on; the calls of those that stay go on counting."""
        before, status = self.trunks, self.status
        self.trunks = {trunk.name: trunk for trunk in trunks}
        self.status = {
            name: status[name] if before.get(name) == trunk else TrunkStatus.of(trunk)
            for name, trunk in self.trunks.items()
        }
        for name in self.trunks.keys() & before.keys():
            load = status[name].load
            load.limits = self.trunks[name].limits
            self.status[name].load = load
        self._plans = {name: plan_of(trunk.numbers) for name, trunk in self.trunks.items()}
        self._learned = {n: a for n, a in self._learned.items() if n in self.trunks}
        self._servers = {n: a for n, a in self._servers.items() if n in self.trunks}
        return TrunkChanges(
            added=tuple(n for n in self.trunks if n not in before),
            removed=tuple(n for n in before if n not in self.trunks),
            changed=tuple(n for n, t in self.trunks.items() if n in before and before[n] != t),
        )

    def plan(self, name: str) -> NumberPlan:
        """Return how a trunk writes numbers; one that is unknown writes them as they are."""
        return self._plans.get(name, self._no_plan)

    # Who may call

    @property
    def identifies_peers(self) -> bool:
        """True once a trunk says whose calls are welcome."""
        return any(_identifies(trunk) for trunk in self.trunks.values())

    def peers(self) -> tuple[Peer, ...]:
        """Return what the calls of every trunk are known by."""
        return tuple(
            Peer(
                name=name,
                networks=self.networks_of(name),
                certificate_names=trunk.inbound.certificate_names,
                credentials=trunk.inbound.credentials,
                challenge_always=trunk.inbound.challenge_always,
            )
            for name, trunk in self.trunks.items()
            if _identifies(trunk)
        )

    def networks_of(self, name: str) -> tuple[IpNetwork, ...]:
        """Return the networks of a trunk's peers, those included that its names resolved to."""
        learned = self._learned.get(name, frozenset())
        return (*self.trunks[name].inbound.networks, *sorted(learned, key=str))

    def networks(self) -> tuple[IpNetwork, ...]:
        return tuple(n for name in self.trunks for n in self.networks_of(name))

    def learn(self, name: str, hosts: Iterable[str]) -> bool:
        """Note the addresses that the names of a trunk stand for; True when they are others."""
        learned = frozenset(ip_network(host) for host in hosts)
        if name not in self.trunks or self._learned.get(name, frozenset()) == learned:
            return False
        self._learned[name] = learned
        return True

    def learn_servers(self, name: str, hosts: Iterable[str]) -> bool:
        """Note the addresses of a trunk's servers; True when they are others."""
        servers = frozenset(ip_network(host) for host in hosts)
        if name not in self.trunks or self._servers.get(name, frozenset()) == servers:
            return False
        self._servers[name] = servers
        return True

    def servers(self) -> tuple[IpNetwork, ...]:
        """Return the addresses of every trunk's servers, whoever may call over it."""
        return tuple(sorted({net for nets in self._servers.values() for net in nets}, key=str))

    # What is known of a call

    def media(self) -> Mapping[str, MediaPolicy]:
        return {name: trunk.media for name, trunk in self.trunks.items()}

    def credentials(self) -> Mapping[str, Credentials]:
        """Return what we answer with where a trunk challenges us, by its name."""
        found = ((name, trunk.credentials) for name, trunk in self.trunks.items())
        return {name: credentials for name, credentials in found if credentials is not None}

    def read_facts(self, event: InviteReceived) -> LegFacts:
        """Return the numbers of an inbound call as E.164, as far as its trunk can be trusted."""
        diversion = diverted_from(event.headers)
        diverted = diversion.number if diversion is not None else ""
        trunk = self._trunk_of(event)
        if trunk is None:
            return replace(facts_of(event), trunk="", diverted_from=diverted)
        plan = self._plans[trunk.name]
        caller = asserted_identity(event.headers, trunk.inbound.trust_identity)
        return LegFacts(
            sip_call_id=event.call_id,
            called=plan.to_e164(_called(event, trunk)),
            caller="" if caller.withheld else plan.to_e164(caller.number),
            caller_name="" if caller.withheld else caller.display,
            source_ip=event.flow.remote[0],
            transport=event.flow.transport,
            trunk=trunk.name,
            headers=event.headers,
            diverted_from=plan.to_e164(diverted) if diverted else "",
        )

    def _trunk_of(self, event: InviteReceived) -> Trunk | None:
        """Return the trunk of a call: of several accounts at one carrier the one that was called.

        A call to the contact of a registration has the registered user in its Request-URI.
        """
        trunk = self.trunks.get(event.peer)
        if trunk is None or not trunk.username:
            return trunk
        user = number_of(event.request_uri)
        if user == trunk.username:
            return trunk
        shared = self.networks_of(trunk.name)
        for name, other in self.trunks.items():
            if other.username == user and self.networks_of(name) == shared:
                return other
        return trunk

    def may_refer(self, facts: LegFacts, target_uri: str) -> bool:
        """Tell whether the peer of a call may ask us to call ``target_uri``."""
        trunk = self.trunks.get(facts.trunk)
        if trunk is None or not trunk.refer.accept or not trunk.outbound:
            return False
        number = self._plans[trunk.name].to_e164(number_of(target_uri))
        return any(_covers(target, number) for target in trunk.refer.targets)

    def referral_target(self, facts: LegFacts, target_uri: str) -> str:
        """Return whom to call when the peer of a call refers us there; empty declines.

        That is the number at the peer's own trunk, whatever host it named: who may spend the
        trunk's money may not send us elsewhere.
        """
        if not self.may_refer(facts, target_uri):
            return ""
        trunk = self.trunks[facts.trunk]
        number = number_of(target_uri)
        return request_uri(trunk, self._plans[trunk.name], number, trunk.next_hops[0])

    def refer_uri(self, facts: LegFacts, target: str, peer_uri: str) -> str:
        """Return whom the peer of a call is to call: a number as its trunk writes it."""
        trunk = self.trunks.get(facts.trunk)
        if trunk is None or is_uri(target):
            return at_the_peers_host(facts, target, peer_uri)
        number = user_of(trunk_number(trunk, self._plans[trunk.name], target))
        if trunk.domain:
            return f"sip:{number}@{trunk.domain}"
        return at_the_peers_host(facts, number, peer_uri)

    # Room

    def take(self, name: str, direction: CallDirection, now: float) -> CallSlot | None:
        """Return a place for one more call over a trunk, None when it is full."""
        return self.status[name].load.take(direction, now)

    def refusal(self, facts: LegFacts, leg: HasEnded, now: float) -> int | None:
        """Count an inbound call; return the status to refuse it with when its trunk is full."""
        trunk = self.trunks.get(facts.trunk)
        if trunk is None:
            return None
        slot = self.take(trunk.name, "inbound", now)
        if slot is None:
            return trunk.limits.full_status
        slot.leg = leg
        return None


def _identifies(trunk: Trunk) -> bool:
    inbound = trunk.inbound
    named = inbound.networks or inbound.hosts or inbound.certificate_names or inbound.credentials
    return bool(named) or (inbound.from_servers and bool(trunk.next_hops))


def _called(event: InviteReceived, trunk: Trunk) -> str:
    """Return the number that was called.

    Who registered with a user name finds that name in the Request-URI of every call (RFC 3261
    section 16.5); the number is in To.
    """
    called, to = number_of(event.request_uri), number_of(event.to_uri)
    if trunk.numbers.called_from == "request_uri":
        return called
    if trunk.numbers.called_from == "to":
        return to or called
    repeated = bool(trunk.username) and called == trunk.username
    return to if repeated and to else called


def _covers(target: str, number: str) -> bool:
    if target.endswith("*"):
        return bool(number) and number.startswith(target[:-1])
    return number == target
