from __future__ import annotations

from telephony.calls.hosted_playout import HostedPlayout


def test_words_are_about_to_be_heard_until_the_server_has_played_them() -> None:
    p = HostedPlayout()
    assert not p.caller_hears
    p.expected("r1")
    p.expected("")
    assert (p.caller_hears, p.spoken_response_id) == (True, "r1")
    p.started("r1")
    p.expected("r1")
    assert p.ended("r1") == "r1"
    assert (p.caller_hears, p.spoken_response_id) == (False, "r1")
    # What was heard already is not expected again.
    p.expected("r1")
    assert not p.caller_hears


def test_a_response_that_ended_unheard_is_not_waited_for() -> None:
    p = HostedPlayout()
    p.expected("r1")
    p.missing("r2")
    assert p.caller_hears
    p.missing("r1")
    assert not p.caller_hears
    p.started("r3")
    p.missing("r3")
    assert p.caller_hears


def test_the_end_of_another_response_changes_nothing() -> None:
    p = HostedPlayout()
    p.started("r1")
    assert p.ended("r0") == ""
    assert p.caller_hears
    # A server that names none means the one that is heard.
    assert p.ended("") == "r1"
    assert p.ended("") == ""
