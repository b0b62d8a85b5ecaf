"""REFER in both directions: who asks, who tells, and what is left when the call ends first."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.events import (
    LegEnded,
    ReferFinished,
    ReferProgressed,
    ReferReceived,
)
from tests.sip.challenging import ALICE, challenge_lines
from tests.sip.wire import OTHER_SDP, HandPeer, body, header, lines, tag

TARGET = "sip:+15550123@example.com"


def notify(
    peer: HandPeer,
    ours: str,
    fragment: str,
    *,
    cseq: int,
    state: str = "active;expires=60",
    event: str = "refer",
    kind: str = "message/sipfrag;version=2.0",
) -> bytes:
    """Write a NOTIFY of the peer with ``fragment`` as its body."""
    content = fragment.encode()
    extra = f"Event: {event}\r\nSubscription-State: {state}\r\nContent-Type: {kind}\r\n"
    branch = f"z9hG4bKn{cseq}"
    data = peer.request("NOTIFY", branch=branch, cseq=cseq, to_tag=ours, extra=extra)
    length = f"Content-Length: {len(content)}\r\n".encode()
    return data.replace(b"Content-Length: 0\r\n", length) + content


def refer(peer: HandPeer, ours: str, *, cseq: int = 2, extra: str | None = None) -> bytes:
    given = f"Refer-To: <{TARGET}>\r\n" if extra is None else extra
    return peer.request("REFER", branch=f"z9hG4bKr{cseq}", cseq=cseq, to_tag=ours, extra=given)


# Ours


def referring() -> tuple[HandPeer, str, str, bytes]:
    peer = HandPeer()
    leg_id, ours = peer.up()
    assert peer.agent.refer(leg_id, TARGET, peer.now)
    (request,) = peer.sent()
    return peer, leg_id, ours, request


def test_a_transfer_is_followed_to_its_end() -> None:
    peer, leg_id, ours, request = referring()
    assert header(request, "Refer-To") == f"<{TARGET}>"
    assert header(request, "Referred-By") == "<sip:bot@192.0.2.10>"
    assert peer.send(peer.response(request, 202)) == []
    assert peer.events() == [ReferProgressed(leg_id, 202, "Whatever")]
    assert lines(peer.send(notify(peer, ours, "SIP/2.0 100 Trying\r\n", cseq=2))) == ["200 NOTIFY"]
    peer.send(notify(peer, ours, "SIP/2.0 180 Ringing\r\n", cseq=3))
    peer.send(notify(peer, ours, "SIP/2.0 200 OK", cseq=4, state="terminated;reason=noresource"))
    assert peer.events() == [
        ReferProgressed(leg_id, 100, "Trying"),
        ReferProgressed(leg_id, 180, "Ringing"),
        ReferFinished(leg_id, 200, "OK"),
    ]
    assert peer.agent.bye(leg_id, peer.now)


@pytest.mark.parametrize(("status", "phrase"), [(486, "Busy Here"), (603, "Decline")])
def test_a_target_that_declines_leaves_the_leg_up(status: int, phrase: str) -> None:
    peer, leg_id, ours, request = referring()
    peer.send(peer.response(request, 202))
    peer.send(notify(peer, ours, f"SIP/2.0 {status} {phrase}\r\n", cseq=2, state="terminated"))
    assert peer.events()[-1] == ReferFinished(leg_id, status, phrase)
    assert leg_id in peer.agent.legs
    assert peer.agent.refer(leg_id, TARGET, peer.now)


def test_a_refused_refer_leaves_the_leg_up() -> None:
    peer, leg_id, _, request = referring()
    peer.send(peer.response(request, 403))
    assert peer.events() == [ReferFinished(leg_id, 403, "Whatever", refused=True)]
    assert leg_id in peer.agent.legs


def test_a_peer_without_the_dialog_ends_the_leg() -> None:
    peer, leg_id, _, request = referring()
    peer.send(peer.response(request, 481))
    assert peer.events() == [
        ReferFinished(leg_id, 481, "Whatever", refused=True),
        LegEnded(leg_id, "error", status=481),
    ]


def test_a_notify_that_overtakes_the_202_counts() -> None:
    peer, leg_id, ours, request = referring()
    peer.send(notify(peer, ours, "SIP/2.0 200 OK", cseq=2, state="terminated"))
    peer.send(peer.response(request, 202))
    assert peer.events() == [ReferFinished(leg_id, 200, "OK")]


def test_silence_after_the_202_ends_in_408() -> None:
    peer, leg_id, ours, request = referring()
    peer.send(peer.response(request, 202))
    peer.send(notify(peer, ours, "SIP/2.0 100 Trying", cseq=2, state="active;expires=90"))
    peer.wait(89)
    assert not any(isinstance(event, ReferFinished) for event in peer.events())
    peer.wait(2)
    assert peer.events() == [ReferFinished(leg_id, 408, "Request Timeout")]


def test_a_subscription_that_ends_without_a_result_is_408() -> None:
    peer, leg_id, ours, request = referring()
    peer.send(peer.response(request, 202))
    peer.send(notify(peer, ours, "SIP/2.0 100 Trying", cseq=2, state="terminated;reason=timeout"))
    assert peer.events()[-1] == ReferFinished(leg_id, 408, "Request Timeout")


def test_bodies_that_say_nothing_change_nothing() -> None:
    peer, leg_id, ours, request = referring()
    peer.send(peer.response(request, 202))
    peer.events()
    answers = peer.send(notify(peer, ours, "SIP/2.0 999 No", cseq=2))
    answers += peer.send(notify(peer, ours, "SIP/2.0 200 OK", cseq=3, kind="text/plain"))
    answers += peer.send(notify(peer, ours, "", cseq=4, state="active;expires=x"))
    assert lines(answers) == ["200 NOTIFY"] * 3
    assert peer.events() == []
    assert leg_id in peer.agent.legs


def test_notify_nobody_asked_for() -> None:
    peer = HandPeer()
    _, ours = peer.up()
    assert lines(peer.send(notify(peer, ours, "SIP/2.0 200 OK", cseq=2))) == ["481 NOTIFY"]
    answers = peer.send(notify(peer, ours, "", cseq=3, event="presence"))
    assert lines(answers) == ["489 NOTIFY"]
    assert header(answers[0], "Allow-Events") == "refer"
    assert peer.events() == []


def test_the_end_of_the_call_ends_the_transfer() -> None:
    peer, leg_id, ours, request = referring()
    peer.send(peer.response(request, 202))
    peer.events()
    peer.send(peer.request("BYE", branch="z9hG4bKb", cseq=9, to_tag=ours))
    assert peer.events() == [LegEnded(leg_id, "remote")]
    peer.assert_drained()


def test_misuse_raises() -> None:
    peer, leg_id, _, _ = referring()
    with pytest.raises(LocalProtocolError, match="under way"):
        peer.agent.refer(leg_id, TARGET, peer.now)
    other = HandPeer()
    up, _ = other.up()
    with pytest.raises(LocalProtocolError, match="not a SIP URI"):
        other.agent.refer(up, "nobody", other.now)
    ringing = HandPeer()
    with pytest.raises(LocalProtocolError, match="not answered"):
        ringing.agent.refer(ringing.invited(), TARGET, 0.0)
    assert not other.agent.refer("gone", TARGET, 0.0)
    assert not other.agent.refer(up, TARGET, 0.0, replaces_leg_id="gone")


def test_an_attended_transfer_names_the_dialog_from_the_targets_side() -> None:
    peer = HandPeer()
    leg_id, _ = peer.up()
    consultation, invite = peer.called()
    peer.sent()
    assert peer.agent.refer(leg_id, "", peer.now, replaces_leg_id=consultation)
    (request,) = peer.sent()
    call_id, ours = header(invite, "Call-ID"), tag(header(invite, "From"))
    escaped = call_id.replace("@", "%40")
    assert header(request, "Refer-To") == (
        f"<sip:far@192.0.2.20:5060?Replaces={escaped}%3Bto-tag%3Dfar%3Bfrom-tag%3D{ours}>"
    )


# Theirs


def referred() -> tuple[HandPeer, str, str]:
    peer = HandPeer()
    leg_id, ours = peer.up()
    assert peer.send(refer(peer, ours)) == []
    assert peer.events() == [ReferReceived(leg_id, TARGET, "", "")]
    return peer, leg_id, ours


def test_an_accepted_refer_is_told_how_it_goes() -> None:
    peer, leg_id, _ = referred()
    assert peer.agent.accept_refer(leg_id, peer.now)
    accepted, trying = peer.sent()
    assert lines([accepted, trying]) == ["202 REFER", "NOTIFY"]
    assert body(trying) == b"SIP/2.0 100 Trying\r\n"
    assert header(trying, "Event") == "refer"
    assert header(trying, "Subscription-State").startswith("active;expires=")
    assert header(trying, "Content-Type") == "message/sipfrag;version=2.0"
    peer.send(peer.response(trying, 200))
    assert peer.agent.notify_refer(leg_id, 486, peer.now)
    (final,) = peer.sent()
    assert body(final) == b"SIP/2.0 486 Busy Here\r\n"
    assert header(final, "Subscription-State") == "terminated;reason=noresource"
    assert not peer.agent.notify_refer(leg_id, 200, peer.now)
    assert leg_id in peer.agent.legs


def test_a_refused_refer() -> None:
    peer, leg_id, _ = referred()
    assert peer.agent.refuse_refer(leg_id, 603, peer.now)
    assert lines(peer.sent()) == ["603 REFER"]
    assert not peer.agent.accept_refer(leg_id, peer.now)
    assert not peer.agent.refuse_refer(leg_id, 603, peer.now)


def test_a_refer_nobody_decides_on_is_answered_at_last() -> None:
    peer, _, _ = referred()
    assert lines(peer.wait(20)) == ["480 REFER"]


def test_a_refer_whose_call_ends_is_answered_too() -> None:
    peer, leg_id, _ = referred()
    peer.agent.bye(leg_id, peer.now)
    assert lines(peer.sent()) == ["BYE"]
    assert "481 REFER" in lines(peer.wait(20))
    peer.assert_drained()


def test_the_second_refer_of_a_dialog_has_an_id() -> None:
    peer, leg_id, ours = referred()
    assert lines(peer.send(refer(peer, ours, cseq=3))) == ["491 REFER"]
    peer.agent.refuse_refer(leg_id, 603, peer.now)
    peer.sent()
    peer.send(refer(peer, ours, cseq=4))
    peer.agent.accept_refer(leg_id, peer.now)
    assert header(peer.sent()[1], "Event") == "refer;id=4"


def test_a_peer_that_wants_no_notifications_gets_none() -> None:
    peer = HandPeer()
    leg_id, ours = peer.up()
    extra = f"Refer-To: <{TARGET}>\r\nRefer-Sub: false\r\nReferred-By: <sip:a@b.example>\r\n"
    peer.send(refer(peer, ours, extra=extra))
    assert peer.events() == [ReferReceived(leg_id, TARGET, "", "sip:a@b.example")]
    peer.agent.accept_refer(leg_id, peer.now)
    (accepted,) = peer.sent()
    assert header(accepted, "Refer-Sub") == "false"
    assert peer.agent.notify_refer(leg_id, 200, peer.now)
    assert peer.sent() == []


def test_a_peer_that_stopped_listening_gets_no_more() -> None:
    peer, leg_id, _ = referred()
    peer.agent.accept_refer(leg_id, peer.now)
    peer.send(peer.response(peer.sent()[1], 481))
    assert not peer.agent.notify_refer(leg_id, 180, peer.now)
    assert leg_id in peer.agent.legs


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ("", 400),
        ("Refer-To: <sip:a@b.example>\r\nRefer-To: <sip:c@d.example>\r\n", 400),
        ("Refer-To: <\r\n", 400),
        ("Refer-To: <mailto:a@b.example>\r\n", 416),
    ],
)
def test_refers_that_can_not_be_read(extra: str, status: int) -> None:
    peer = HandPeer()
    _, ours = peer.up()
    assert lines(peer.send(refer(peer, ours, extra=extra))) == [f"{status} REFER"]
    assert peer.events() == []


def test_replaces_in_the_target_is_reported() -> None:
    peer = HandPeer()
    leg_id, ours = peer.up()
    extra = "Refer-To: <sip:a@b.example?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2&Subject=y>\r\n"
    peer.send(refer(peer, ours, extra=extra))
    expected = ReferReceived(leg_id, "sip:a@b.example", "x%3Bto-tag%3D1%3Bfrom-tag%3D2", "")
    assert peer.events() == [expected]


def test_a_refer_before_the_answer_and_outside_of_dialogs() -> None:
    peer = HandPeer()
    peer.invited()
    peer.agent.answer(next(iter(peer.agent.legs)), OTHER_SDP, peer.now)
    peer.sent()
    (answer,) = peer.send(peer.request("REFER", branch="z9hG4bKq", call_id="other"))
    assert lines([answer]) == ["603 REFER"]


def test_a_late_notify_of_an_earlier_refer_says_nothing_of_this_one() -> None:
    peer, leg_id, ours, first = referring()
    peer.send(peer.response(first, 202))
    peer.wait(61)
    peer.agent.refer(leg_id, TARGET, peer.now)
    (second,) = peer.sent()
    peer.send(peer.response(second, 202))
    peer.events()
    for request, answer in ((first, "481 NOTIFY"), (second, "200 NOTIFY")):
        number = int(header(request, "CSeq").split()[0])
        told = notify(peer, ours, "SIP/2.0 200 OK", cseq=number + 1, event=f"refer;id={number}")
        assert lines(peer.send(told)) == [answer]
    assert peer.events() == [ReferFinished(leg_id, 200, "OK")]


def test_a_challenge_that_comes_after_the_call_is_not_answered() -> None:
    """Nobody is to be transferred who has hung up."""
    peer = HandPeer()
    leg_id, invite = peer.calling(credentials=ALICE)
    peer.send(peer.response(invite, 200, sdp=OTHER_SDP))
    peer.agent.refer(leg_id, TARGET, peer.now)
    peer.agent.bye(leg_id, peer.now)
    request, bye = peer.sent()[-2:]
    assert peer.send(peer.response(request, 401, extra=challenge_lines(401))) == []
    assert lines(peer.send(peer.response(bye, 401, extra=challenge_lines(401)))) == ["BYE"]
