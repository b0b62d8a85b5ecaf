"""What the headers of RFC 4028 say and what both sides agree on."""

from __future__ import annotations

import pytest
import sipmessage

from telephony.sip.session_timer import (
    Refresher,
    SessionExpires,
    SessionTimer,
    Terms,
    accepted_terms,
    answer_terms,
    read_min_se,
    read_session_expires,
    request_headers,
    response_headers,
    supports_timer,
    too_small,
)
from telephony.sip.timers import TimerQueue


def _headers(**values: str) -> sipmessage.Headers:
    headers = sipmessage.Headers()
    for name, value in values.items():
        headers.add(name.replace("_", "-"), value)
    return headers


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1800", SessionExpires(1800)),
        (" 90 ; Refresher = UAC ;x=y", SessionExpires(90, "uac")),
        ("90;refresher=uas", SessionExpires(90, "uas")),
        ("90;refresher=me", SessionExpires(90)),
        ("90;refresher", SessionExpires(90)),
        ("4294967295", SessionExpires(4294967295)),
        ("4294967296", None),
        ("-1", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_session_expires(value: str, expected: SessionExpires | None) -> None:
    assert read_session_expires(_headers(Session_Expires=value)) == expected


def test_headers_that_are_missing() -> None:
    assert read_session_expires(_headers()) is None
    assert read_min_se(_headers()) == 0
    assert read_min_se(_headers(Min_SE="120;x")) == 120
    assert read_min_se(_headers(Min_SE="soon")) == 0
    assert not supports_timer(_headers(Supported="timers, 100rel"))
    assert supports_timer(_headers(Supported="100rel, Timer"))
    assert supports_timer(_headers(Require="timer"))


@pytest.mark.parametrize(
    ("expires", "supported", "refused"),
    [("89", True, True), ("90", True, False), ("89", False, False), ("", True, False)],
)
def test_422_is_for_senders_that_know_the_timer(
    expires: str, supported: bool, refused: bool
) -> None:
    headers = _headers(Session_Expires=expires, Supported="timer" if supported else "")
    assert too_small(headers, 90) is refused


# Table 2 of RFC 4028: what the sender supports and asks for, and who refreshes.
@pytest.mark.parametrize(
    ("supported", "expires", "terms"),
    [
        (False, "", None),
        (False, "1800", Terms(1800, "us", False)),
        (False, "1800;refresher=uac", Terms(1800, "us", False)),
        (True, "", Terms(1800, "us")),
        (True, "1800", Terms(1800, "us")),
        (True, "1800;refresher=uac", Terms(1800, "peer")),
        (True, "1800;refresher=uas", Terms(1800, "us")),
        (True, "600;refresher=uac", Terms(600, "peer")),
        (True, "7200;refresher=uac", Terms(1800, "peer")),
        (False, "10", None),
    ],
)
def test_our_answer_to_a_first_request(supported: bool, expires: str, terms: Terms | None) -> None:
    headers = _headers(Session_Expires=expires, Supported="timer" if supported else "")
    assert answer_terms(headers, SessionTimer(), 1800, 90) == terms


def test_the_peer_refreshes_by_our_choice_only_if_it_can() -> None:
    able = _headers(Session_Expires="600", Supported="timer")
    assert answer_terms(able, SessionTimer(), 1800, 90, "peer") == Terms(600, "peer")
    unable = _headers(Session_Expires="600")
    assert answer_terms(unable, SessionTimer(), 1800, 90, "peer") == Terms(600, "us", False)


def test_an_interval_is_not_shortened_below_what_the_sender_bears() -> None:
    headers = _headers(Session_Expires="7200", Min_SE="3600", Supported="timer")
    assert answer_terms(headers, SessionTimer(), 1800, 90) == Terms(3600, "us")
    asked_for_none = _headers(Min_SE="3600", Supported="timer")
    assert answer_terms(asked_for_none, SessionTimer(), 1800, 90) == Terms(3600, "us")


def test_a_minimum_that_a_422_named_holds_for_the_whole_dialog() -> None:
    running = SessionTimer(interval_s=3600, refresher="peer", min_se_s=3600)
    headers = _headers(Session_Expires="3600;refresher=uac", Supported="timer")
    assert answer_terms(headers, running, 1800, 90) == Terms(3600, "peer")


def test_without_a_wish_of_ours_only_the_peer_s_counts() -> None:
    supported = _headers(Supported="timer")
    assert answer_terms(supported, SessionTimer(), 0, 90) is None
    asked = _headers(Session_Expires="7200", Supported="timer")
    assert answer_terms(asked, SessionTimer(), 0, 90) == Terms(7200, "us")


@pytest.mark.parametrize("refresher", ["us", "peer"])
def test_roles_stay_as_they_are_when_the_peer_leaves_them_open(refresher: Refresher) -> None:
    running = SessionTimer(interval_s=600, refresher=refresher)
    for headers in (
        _headers(Supported="timer"),
        _headers(Session_Expires="600", Supported="timer"),
    ):
        assert answer_terms(headers, running, 1800, 90) == Terms(600, refresher)


def test_a_running_timer_goes_on_when_a_request_does_not_mention_it() -> None:
    running = SessionTimer(interval_s=600, refresher="peer")
    assert answer_terms(_headers(), running, 1800, 90) == Terms(600, "us", False)


@pytest.mark.parametrize(
    ("expires", "terms"),
    [
        ("", None),
        ("600;refresher=uac", Terms(600, "us")),
        ("600;refresher=uas", Terms(600, "peer")),
        ("600", Terms(600, "us")),
        ("1;refresher=uas", Terms(90, "peer")),
        ("junk;refresher=uas", None),
    ],
)
def test_what_a_2xx_to_our_request_sets(expires: str, terms: Terms | None) -> None:
    assert accepted_terms(_headers(Session_Expires=expires), 90) == terms


def test_what_we_ask_for() -> None:
    assert request_headers(SessionTimer(), 0, 90) == ()
    first = (("Session-Expires", "1800"), ("Min-SE", "90"))
    assert request_headers(SessionTimer(), 1800, 90) == first
    raised = (("Session-Expires", "3600"), ("Min-SE", "3600"))
    assert request_headers(SessionTimer(min_se_s=3600), 1800, 90) == raised
    ours = SessionTimer(interval_s=600, refresher="us", min_se_s=120)
    assert request_headers(ours, 1800, 90) == (
        ("Session-Expires", "600;refresher=uac"),
        ("Min-SE", "120"),
    )
    theirs = SessionTimer(interval_s=600, refresher="peer")
    assert request_headers(theirs, 0, 90)[0] == ("Session-Expires", "600;refresher=uas")


def test_what_we_answer() -> None:
    assert response_headers(None) == ()
    assert response_headers(Terms(600, "us", peer_supports=False)) == (
        ("Session-Expires", "600;refresher=uas"),
    )
    assert response_headers(Terms(600, "peer")) == (
        ("Require", "timer"),
        ("Session-Expires", "600;refresher=uac"),
    )


@pytest.mark.parametrize(
    ("terms", "due"),
    [
        (Terms(1800, "us"), 900.0),
        (Terms(1800, "peer"), 1768.0),
        (Terms(90, "peer"), 60.0),
        (Terms(96, "peer"), 64.0),
    ],
)
def test_when_to_act(terms: Terms, due: float) -> None:
    timer = SessionTimer()
    assert timer.settle(terms, 100.0) == 100.0 + due
    assert timer.ends_at == 100.0 + terms.interval_s


def test_settling_stops_the_timer_before() -> None:
    queue = TimerQueue()
    timer = SessionTimer(interval_s=600)
    timer.handle = queue.schedule(1.0, lambda _now: None)
    assert timer.settle(None, 0.0) is None
    assert (timer.interval_s, len(queue)) == (0, 0)
    timer.stop()
