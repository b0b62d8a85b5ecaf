"""Wishes for an answer that become one."""

from __future__ import annotations

from telephony.realtime.cascade.reply import Ask, Reply
from telephony.realtime.cascade.spoken import SpokenItem


def test_two_wishes_become_one() -> None:
    joined = Ask("One.", "none").joined_with(Ask(patient=True))
    assert joined == Ask("One.", "none")
    assert Ask("One.").joined_with(Ask("Two.", "auto")) == Ask("One.\nTwo.", "auto")
    assert Ask(patient=True).joined_with(Ask(patient=True)).patient
    assert not Ask(out_of_band=True).joined_with(Ask()).out_of_band


def test_what_it_cost() -> None:
    spoken = SpokenItem("i")
    spoken.text = "Hello."
    reply = Reply("r", Ask(), spoken)
    assert (reply.usage(2.5).characters, reply.usage(2.5).billed_s) == (6, 2.5)
    assert reply.has_words
    assert Ask().bare
    assert not Ask("x").bare
