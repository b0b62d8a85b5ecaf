"""What of pyVoIP's messages is put right before they leave."""

from __future__ import annotations

from telephony.sip.config import UserAgentConfig
from telephony.sip.framing import parse_message
from tests.sip.wire import header, headers
from tests.support.pyvoip import hand_peer, require_pyvoip

require_pyvoip()

ROUTES = "Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\nTimestamp: 7\r\n"


def test_a_response_goes_back_the_way_it_came_word_for_word() -> None:
    peer = hand_peer(UserAgentConfig(product="ours/1"))
    invite = peer.request(extra=ROUTES).replace(
        b"From: ", b"Via: SIP/2.0/TLS other;branch=z9hG4bKx;i=3;foo\r\nFrom: \xff"
    )
    invite = invite.replace(b"Peer", b"Pe: er")
    trying = peer.send(invite)[0]
    (event,) = peer.events()
    peer.agent.ring(event.leg_id, 0.0)
    (ringing,) = peer.sent()
    for answer in (trying, ringing):
        assert headers(answer, "Via") == [
            "SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bK1;rport=5060;received=192.0.2.20",
            "SIP/2.0/TLS other;branch=z9hG4bKx;i=3;foo",
        ]
        assert b'From: \xff"Pe: er" <sip:peer@192.0.2.20>;tag=peer\r\n' in answer
        assert header(answer, "Server") == "ours/1"
        assert headers(answer, "Warning") == headers(answer, "User-Agent") == []
    assert header(trying, "To") == "<sip:bot@192.0.2.10>"
    assert header(trying, "Timestamp") == "7"
    assert headers(trying, "Contact") == headers(trying, "Record-Route") == []
    assert header(ringing, "To") == f"<sip:bot@192.0.2.10>;tag={event.leg_id}"
    assert header(ringing, "Contact") == "<sip:192.0.2.10:5060>"
    assert headers(ringing, "Record-Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert header(ringing, "Allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"


def test_a_request_goes_where_the_dialog_says() -> None:
    peer = hand_peer(UserAgentConfig(product="ours/1"))
    peer.send(peer.request(extra=ROUTES))
    (event,) = peer.events()
    peer.agent.answer(event.leg_id, b"v=0\r\n", 0.0)
    peer.send(peer.request("ACK", branch="z9hG4bK2", to_tag=event.leg_id))
    peer.agent.bye(event.leg_id, 0.0)
    (bye,) = peer.sent()
    assert bye.startswith(b"BYE sip:peer@192.0.2.20:5060 SIP/2.0\r\n")
    assert headers(bye, "Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert header(bye, "From") == f"<sip:bot@192.0.2.10>;tag={event.leg_id}"
    assert header(bye, "To") == '"Peer" <sip:peer@192.0.2.20>;tag=peer'
    assert header(bye, "Via").endswith(";rport")
    assert header(bye, "User-Agent") == "ours/1"
    assert headers(bye, "Contact") == []
    parse_message(bye)
