from __future__ import annotations

import threading

from telephony.base.ids import Ids
from tests.support.pyvoip import require_pyvoip

require_pyvoip()

from telephony.stacks.pyvoip.client import Client  # noqa: E402
from telephony.stacks.pyvoip.draft import Draft  # noqa: E402
from telephony.stacks.pyvoip.library import RTP  # noqa: E402
from telephony.stacks.pyvoip.wire import Wire  # noqa: E402

OURS, THEIRS = ("192.0.2.10", 5060), ("192.0.2.20", 5070)


def client() -> tuple[Client, Wire]:
    wire = Wire()
    return Client(None, wire, OURS, THEIRS, "tag0", Ids.seeded(1)), wire


def test_one_side_has_one_tag_and_ids_come_from_their_source() -> None:
    made, _ = client()
    again, _ = client()
    assert made.gen_tag() == made.gen_tag() == "tag0"
    assert made.tags == []
    branch = made.gen_branch()
    assert branch == again.gen_branch()
    assert branch.startswith("z9hG4bK")
    assert made.gen_call_id() == again.gen_call_id()


def test_an_invite_is_sent_and_waits_for_nobody() -> None:
    made, wire = client()
    media = {4000: {0: RTP.PayloadType.PCMU, 101: RTP.PayloadType.EVENT}}
    before = threading.active_count()
    request, call_id, session = made.invite("bob", media, RTP.TransmitType.SENDRECV)
    assert threading.active_count() == before
    (draft,) = wire.take()
    assert draft.method == "INVITE"
    assert b"m=audio 4000 RTP/AVP 0 101\r\n" in draft.body
    assert request.headers["Call-ID"] == call_id
    assert session == 1


def test_a_cancel_has_the_number_and_the_tags_of_its_invite() -> None:
    made, wire = client()
    request, call_id, _ = made.invite("bob", {9: {0: RTP.PayloadType.PCMU}}, "sendrecv")
    (invite,) = wire.take()
    cancel = Draft(made.gen_cancel(request))
    assert cancel.method == "CANCEL"
    assert cancel.get("Call-ID") == call_id
    assert cancel.get("From") == invite.get("From")
    assert cancel.get("To") == invite.get("To")
    assert cancel.get("CSeq") == "1 CANCEL"


def test_options_asks_for_no_binding() -> None:
    made, _ = client()
    options = Draft(made.gen_options())
    assert options.method == "OPTIONS"
    assert options.get("CSeq") == "1 OPTIONS"
    assert options.get("Contact") is None
    assert options.get("Expires") is None


def test_starting_and_stopping_opens_and_closes_nothing() -> None:
    made, wire = client()
    before = threading.active_count()
    made.stop()
    made.start()
    assert made.NSD
    assert threading.active_count() == before
    assert wire.take() == []
