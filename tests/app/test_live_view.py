from __future__ import annotations

from telephony.app.live_view import LiveView
from telephony.sip.flow import Flow
from telephony.turns.latency import TurnLatency

FLOW = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.1", 40000))


def view() -> tuple[LiveView, list[str]]:
    lines: list[str] = []
    return LiveView(lambda: 100.0, lines.append), lines


def test_the_ladder_has_an_arrow_per_message_and_the_status_of_a_response() -> None:
    live, lines = view()
    live.trace("sent", b"INVITE sip:bot@127.0.0.1 SIP/2.0\r\nVia: x\r\n\r\n", FLOW, 100.25)
    live.trace("received", b"SIP/2.0 180 Ringing\r\n\r\n", FLOW, 100.5)
    assert lines == [
        "   0.250  sip       caller ──▶ bot   INVITE",
        "   0.500  sip       caller ◀── bot   180 Ringing",
    ]


def test_bytes_that_are_no_text_do_not_stop_the_view() -> None:
    live, lines = view()
    live.trace("received", b"\xff\xfe\x00", FLOW, 100.0)
    assert len(lines) == 1


def test_what_is_said_is_named_by_who_says_it() -> None:
    live, lines = view()
    live.transcript_finished("c1", "user", "Hello?")
    live.transcript_finished("c1", "assistant", "Good day.")
    assert [line.split(None, 1)[1] for line in lines] == [
        "caller    “Hello?”",
        "bot       “Good day.”",
    ]
    assert live.transcripts == [("user", "Hello?"), ("assistant", "Good day.")]


def test_latencies_and_interruptions_are_kept_for_the_summary() -> None:
    live, lines = view()
    live.turn_measured("c1", TurnLatency(0.66, 0.655, 0.005, 0.5))
    live.barged_in("c1", "local_speech", 0.08)
    assert "660 ms" in lines[0]
    assert "80 ms" in lines[1]
    assert "local speech" in lines[1]
    assert live.barge_ins == [("local_speech", 0.08)]
    assert len(live.latencies) == 1
