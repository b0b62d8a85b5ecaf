from __future__ import annotations

from telephony.rtp.packet import RtpPacket
from telephony.rtp.rtcp_source import RtcpSource
from telephony.rtp.source import LatchPolicy, SourcePolicy

SIGNALLED = ("192.0.2.1", 4001)
RTP = ("192.0.2.1", 4000)
SIP_HOST = "192.0.2.7"
NAT = ("203.0.113.9", 61_000)
PACKET = RtpPacket(0, False, 1, 0, 9, b"\x80" * 160)


def sources(
    policy: LatchPolicy = "signalled_host", *, mux: bool = False
) -> tuple[RtcpSource, SourcePolicy]:
    rtp = SourcePolicy(RTP, policy, 0.0, signalling_host=SIP_HOST)
    rtcp = RtcpSource(rtp)
    rtcp.change_remote(RTP if mux else SIGNALLED, mux)
    return rtcp, rtp


def test_only_hosts_that_signalling_named_may_send() -> None:
    rtcp, _ = sources()
    assert rtcp.may_send(SIGNALLED)
    assert rtcp.may_send(("192.0.2.1", 9))
    assert rtcp.may_send((SIP_HOST, 9))
    assert not rtcp.may_send(NAT)


def test_without_latching_the_host_of_signalling_may_not() -> None:
    rtcp, _ = sources("off")
    assert rtcp.may_send(("192.0.2.1", 9))
    assert not rtcp.may_send((SIP_HOST, 9))


def test_an_address_of_its_own_in_sdp() -> None:
    rtcp, _ = sources()
    rtcp.change_remote(("198.51.100.4", 53020), False)
    assert rtcp.may_send(("198.51.100.4", 53020))
    assert not rtcp.may_send(("198.51.100.4", 9))
    assert rtcp.destination == ("198.51.100.4", 53020)


def test_ours_goes_to_where_theirs_comes_from() -> None:
    rtcp, _ = sources()
    assert rtcp.destination == SIGNALLED
    rtcp.accept(("192.0.2.1", 9))
    rtcp.accept(("192.0.2.1", 10))
    assert rtcp.destination == ("192.0.2.1", 9)


def test_the_signalled_address_wins() -> None:
    rtcp, _ = sources()
    rtcp.accept(("192.0.2.1", 9))
    rtcp.accept(SIGNALLED)
    rtcp.accept(("192.0.2.1", 10))
    assert rtcp.destination == SIGNALLED


def test_a_peer_behind_a_nat_is_followed() -> None:
    rtcp, rtp = sources("any")
    rtp.accept(NAT)
    assert rtcp.may_send((NAT[0], 61_007))
    assert rtcp.destination == (NAT[0], 61_001)
    rtcp.accept((NAT[0], 61_007))
    assert rtcp.destination == (NAT[0], 61_007)
    rtp.accept(("203.0.113.9", 65_535))
    rtcp.change_remote(("192.0.2.1", 5001), False)
    assert rtcp.destination == (NAT[0], 65_535)


def test_a_source_that_rtp_has_left_is_forgotten() -> None:
    rtcp, rtp = sources("any")
    rtp.accept(NAT)
    rtcp.accept((NAT[0], 61_007))
    assert rtp.may_send(RTP, 0.0)
    rtp.accept(RTP)
    assert rtcp.destination == SIGNALLED


def test_a_new_offer_forgets_and_the_same_again_does_not() -> None:
    rtcp, _ = sources()
    rtcp.accept(("192.0.2.1", 9))
    rtcp.change_remote(SIGNALLED, False)
    assert rtcp.destination == ("192.0.2.1", 9)
    rtcp.change_remote(("192.0.2.1", 4003), False)
    assert rtcp.destination == ("192.0.2.1", 4003)


def test_nowhere_to_send() -> None:
    rtcp, _ = sources()
    rtcp.change_remote(None, False)
    assert rtcp.destination is None


def test_one_port_goes_where_rtp_goes_also_on_hold() -> None:
    rtcp, rtp = sources("any", mux=True)
    assert rtcp.destination == RTP
    rtp.accept(NAT)
    rtp.change_remote(None, 1.0)
    assert rtp.remote is None
    assert rtcp.destination == NAT
