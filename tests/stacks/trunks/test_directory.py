from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest
import sipmessage

from telephony.base.interfaces import LegFacts
from telephony.sip.credentials import Credentials
from telephony.sip.events import InviteReceived
from telephony.sip.flow import Flow
from telephony.sip.message import HeaderView
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.trunk import (
    InboundPolicy,
    NumberPolicy,
    ReferPolicy,
    Trunk,
    TrunkLimits,
)
from telephony.stacks.trunks.directory import TrunkChanges, TrunkDirectory


@dataclass
class FakeLeg:
    ended: bool = False


def invite(
    peer: str = "t",
    uri: str = "sip:100@192.0.2.1",
    to: str = "sip:+4930123456@carrier.example",
    sender: str = '"Ann" <sip:030654321@carrier.example>;tag=a',
    **headers: str,
) -> InviteReceived:
    found = sipmessage.Headers()
    found.add("From", sender)
    for name, value in headers.items():
        found.add(name.replace("_", "-"), value)
    flow = Flow("udp", ("192.0.2.7", 5060), ("192.0.2.1", 5060))
    uri_of_sender = sender.partition("<")[2].partition(">")[0]
    return InviteReceived(
        "leg", uri, uri_of_sender, "Ann", to, "id", HeaderView(found), None, flow, peer
    )


def facts(trunk: str = "t") -> LegFacts:
    return LegFacts("id", "", "", "", "192.0.2.7", "udp", trunk, {})


def trunk(name: str = "t", **keys: Any) -> Trunk:
    return Trunk(name, ("sip:192.0.2.7",), **keys)


GERMAN = NumberPolicy(region="DE")


def test_numbers_of_a_trunk_are_read_as_e164() -> None:
    directory = TrunkDirectory([trunk(numbers=GERMAN)])
    event = invite(
        uri="sip:03098765432@192.0.2.1",
        P_Asserted_Identity="<sip:004930111222333@carrier.example>",
        Diversion="<sip:030444555@carrier.example>;reason=no-answer",
    )
    found = directory.read_facts(event)
    assert (found.called, found.caller, found.trunk) == ("+493098765432", "+4930111222333", "t")
    assert found.diverted_from == "+4930444555"
    assert (found.source_ip, found.transport, found.sip_call_id) == ("192.0.2.7", "udp", "id")


def test_only_trusted_headers_say_who_calls() -> None:
    inbound = InboundPolicy(trust_identity=("from",))
    directory = TrunkDirectory([trunk(numbers=GERMAN, inbound=inbound)])
    event = invite(P_Asserted_Identity="<sip:+49110@carrier.example>")
    found = directory.read_facts(event)
    assert (found.caller, found.caller_name) == ("+4930654321", "Ann")


def test_a_withheld_caller_has_no_number() -> None:
    directory = TrunkDirectory([trunk()])
    event = invite(P_Asserted_Identity="<sip:+4930111@c.example>", Privacy="id")
    assert (directory.read_facts(event).caller, directory.read_facts(event).caller_name) == ("", "")


def test_a_stranger_is_taken_at_his_word() -> None:
    directory = TrunkDirectory([trunk()])
    event = invite(peer="", P_Asserted_Identity="<sip:+49110@carrier.example>")
    found = directory.read_facts(event)
    assert (found.called, found.caller, found.trunk) == ("100", "030654321", "")


@pytest.mark.parametrize(
    ("called_from", "uri", "called"),
    [
        ("auto", "sip:bot@192.0.2.1", "+4930123456"),
        ("auto", "sip:+4940999@192.0.2.1", "+4940999"),
        ("request_uri", "sip:bot@192.0.2.1", "bot"),
        ("to", "sip:+4940999@192.0.2.1", "+4930123456"),
    ],
)
def test_where_the_called_number_stands(called_from: Any, uri: str, called: str) -> None:
    numbers = NumberPolicy(region="DE", called_from=called_from)
    directory = TrunkDirectory([trunk(username="bot", numbers=numbers)])
    assert directory.read_facts(invite(uri=uri)).called == called


def test_of_two_accounts_at_one_carrier_the_one_that_was_called() -> None:
    directory = TrunkDirectory([trunk("a", username="u1"), trunk("b", username="u2")])
    for name in ("a", "b"):
        directory.learn(name, ["192.0.2.7"])
    assert directory.read_facts(invite("a", "sip:u2@192.0.2.1")).trunk == "b"
    assert directory.read_facts(invite("a", "sip:u1@192.0.2.1")).trunk == "a"
    assert directory.read_facts(invite("a", "sip:other@192.0.2.1")).trunk == "a"


def test_peers_are_known_by_addresses_certificates_and_logins() -> None:
    login = Credentials("u", "secret")
    network = ip_network("198.51.100.0/24")
    directory = TrunkDirectory(
        [
            trunk("a"),
            trunk("b", inbound=InboundPolicy(networks=(network,), credentials=login)),
            trunk("out", inbound=InboundPolicy(from_servers=False)),
        ]
    )
    assert directory.identifies_peers
    assert directory.learn("a", ["192.0.2.7", "2001:db8::7"])
    assert not directory.learn("a", ["2001:db8::7", "192.0.2.7"])
    assert not directory.learn("gone", ["192.0.2.9"])
    assert directory.learn_servers("out", ["203.0.113.1"])
    assert not directory.learn_servers("out", ["203.0.113.1"])
    assert not directory.learn_servers("gone", ["203.0.113.2"])
    assert [str(network) for network in directory.servers()] == ["203.0.113.1/32"]
    first, second = directory.peers()
    assert first.name == "a"
    assert set(map(str, first.networks)) == {"192.0.2.7/32", "2001:db8::7/128"}
    assert (second.networks, second.credentials) == ((network,), login)
    assert len(directory.networks()) == 3
    assert not TrunkDirectory([trunk(inbound=InboundPolicy(from_servers=False))]).identifies_peers


def test_a_reload_keeps_what_did_not_change() -> None:
    directory = TrunkDirectory([trunk("a"), trunk("b"), trunk("c")])
    leg = FakeLeg()
    assert directory.refusal(facts("a"), leg, 0.0) is None
    assert directory.refusal(facts("b"), leg, 0.0) is None
    kept = directory.status["a"]
    changes = directory.replace(
        [trunk("a"), trunk("b", limits=TrunkLimits(max_calls=1)), trunk("d")]
    )
    assert changes == TrunkChanges(added=("d",), removed=("c",), changed=("b",))
    assert directory.status["a"] is kept
    assert set(directory.status) == {"a", "b", "d"}
    assert directory.refusal(facts("b"), FakeLeg(), 0.0) == 503
    leg.ended = True
    assert directory.refusal(facts("b"), FakeLeg(), 0.0) is None


def test_a_full_trunk_says_so_as_it_is_told() -> None:
    directory = TrunkDirectory([trunk(limits=TrunkLimits(max_inbound=0, full_status=486))])
    assert directory.refusal(facts(), FakeLeg(), 0.0) == 486
    assert directory.refusal(facts(""), FakeLeg(), 0.0) is None
    assert directory.refusal(facts("gone"), FakeLeg(), 0.0) is None


def test_a_peer_may_refer_us_only_to_what_its_trunk_lists() -> None:
    refer = ReferPolicy(True, ("+4930*", "100"))
    directory = TrunkDirectory([trunk(refer=refer, numbers=GERMAN), trunk("shut")])
    assert directory.may_refer(facts(), "sip:030123456@evil.example")
    assert directory.may_refer(facts(), "sip:100@192.0.2.7")
    assert not directory.may_refer(facts(), "sip:1001@192.0.2.7")
    assert not directory.may_refer(facts(), "sip:+1900555@192.0.2.7")
    assert not directory.may_refer(facts(), "sip:192.0.2.7")
    assert not directory.may_refer(facts("shut"), "sip:100@192.0.2.7")
    assert not directory.may_refer(facts(""), "sip:100@192.0.2.7")


def test_a_referral_is_called_at_the_trunk_whatever_host_it_names() -> None:
    refer = ReferPolicy(True, ("+4930*",))
    directory = TrunkDirectory([trunk(refer=refer, numbers=GERMAN)])
    target = directory.referral_target(facts(), "sip:030123456@evil.example")
    assert target == "sip:+4930123456@192.0.2.7"
    assert directory.referral_target(facts(), "sip:0900123@evil.example") == ""


def test_a_number_that_the_peer_is_to_call_is_written_as_the_peer_does() -> None:
    numbers = NumberPolicy(region="DE", format="national")
    directory = TrunkDirectory(
        [trunk("a", numbers=numbers, domain="carrier.example"), trunk("b", numbers=numbers)]
    )
    peer = "sip:x@192.0.2.7:5080"
    assert directory.refer_uri(facts("a"), "+4930123456", peer) == "sip:030123456@carrier.example"
    assert directory.refer_uri(facts("b"), "+4930123456", peer) == "sip:030123456@192.0.2.7:5080"
    assert directory.refer_uri(facts("a"), "sip:a@b.example", peer) == "sip:a@b.example"
    assert directory.refer_uri(facts(""), "100", peer) == "sip:100@192.0.2.7:5080"


def test_media_policies_and_credentials_are_by_name() -> None:
    policy, login = MediaPolicy(srtp="required"), Credentials("u", "secret")
    directory = TrunkDirectory([trunk(media=policy, credentials=login), trunk("b")])
    assert directory.media() == {"t": policy, "b": MediaPolicy()}
    assert directory.credentials() == {"t": login}
