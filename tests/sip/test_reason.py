"""The Reason header and the causes of the telephone network."""

from __future__ import annotations

import pytest

from telephony.calls import cause as causes
from telephony.calls.cause import Ending
from telephony.sip.reason import (
    Q850_NAMES,
    Reason,
    parse_reason,
    parse_reasons,
    q850,
    q850_to_status,
    reason_for,
    sip_reason,
    status_to_q850,
)
from telephony.sip.status import REASONS


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('Q.850;cause=16;text="Terminated"', Reason("Q.850", 16, "Terminated")),
        (
            'SIP ;cause=200 ;text="Call completed elsewhere"',
            Reason("SIP", 200, "Call completed elsewhere"),
        ),
        ("q.850 ; Cause=17", Reason("Q.850", 17)),
        ("STIR;cause=436;ppi=xx", Reason("STIR", 436)),
        ("preemption ;cause=1", Reason("preemption", 1)),
        ("Q.850;cause=128", Reason("Q.850")),
        ("Q.850;cause=1e3", Reason("Q.850")),
        ("Q.850;text=bare", Reason("Q.850", None, "bare")),
        ('Q.850;cause=16;text="a, b; c"', Reason("Q.850", 16, "a, b; c")),
    ],
)
def test_read(value: str, reason: Reason) -> None:
    assert parse_reason(value) == reason


@pytest.mark.parametrize("value", ["", ";cause=16", '"Q.850";cause=16', "a b;cause=1", "x" * 2000])
def test_malformed_values_are_none(value: str) -> None:
    assert parse_reason(value) is None


def test_several_values_over_several_lines() -> None:
    found = parse_reasons(["SIP;cause=600, Q.850;cause=17", ";bad", "Q.850;cause=16"])
    assert [(r.protocol, r.cause) for r in found] == [("SIP", 600), ("Q.850", 17), ("Q.850", 16)]
    assert len(parse_reasons(["SIP;cause=200," * 60])) == 16


@pytest.mark.parametrize("reason", [q850(16), q850(31), q850(126), Reason("SIP", None, 'x"\\y')])
def test_what_is_written_reads_back(reason: Reason) -> None:
    assert parse_reason(str(reason)) == reason


def test_write() -> None:
    assert str(q850(17)) == 'Q.850;cause=17;text="User busy"'
    assert str(q850(126)) == "Q.850;cause=126"
    assert sip_reason(486) == 'SIP;cause=486;text="Busy Here"'


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (400, 41),
        (403, 21),
        (404, 1),
        (408, 102),
        (410, 22),
        (480, 18),
        (482, 25),
        (484, 28),
        (486, 17),
        (488, 31),
        (502, 38),
        (503, 41),
        (600, 17),
        (603, 21),
        (604, 1),
        (606, 31),
        (499, 41),
        (599, 41),
        (699, 21),
        (302, 31),
        (0, 31),
        (607, 21),
        (608, 21),
        (580, 41),
    ],
)
def test_status_to_cause(status: int, cause: int) -> None:
    assert status_to_q850(status) == cause


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (1, 404),
        (16, None),
        (17, 486),
        (18, 408),
        (19, 480),
        (20, 480),
        (21, 403),
        (22, 410),
        (26, 404),
        (27, 502),
        (28, 484),
        (29, 501),
        (31, 480),
        (34, 503),
        (55, 403),
        (65, 488),
        (79, 501),
        (102, 504),
        (111, 500),
        (127, 500),
        (30, 480),
        (49, 503),
        (66, 501),
        (96, 500),
    ],
)
def test_cause_to_status(cause: int, status: int | None) -> None:
    assert q850_to_status(cause) == status


def test_every_mapping_has_a_name() -> None:
    assert all(status_to_q850(status) in Q850_NAMES for status in range(700))
    assert all((q850_to_status(c) or 480) in REASONS for c in range(128))


def test_every_word_of_the_call_records_has_its_own_cause() -> None:
    words = {item.cause for item in vars(causes).values() if isinstance(item, Ending)}
    unspecified = {"guardrail", "max_duration", "silent_caller", "spend_limit"}
    told = {w for w in words if parse_reason(reason_for(w)) == q850(31)}
    assert told == unspecified


def test_words() -> None:
    assert reason_for("bot_hung_up") == 'Q.850;cause=16;text="Normal call clearing"'
    assert reason_for("never heard of") == 'Q.850;cause=31;text="Normal, unspecified"'
    assert reason_for("never heard of", 486) == 'Q.850;cause=17;text="User busy"'
    elsewhere = parse_reason(reason_for("answered_elsewhere"))
    assert elsewhere == Reason("SIP", 200, "Call completed elsewhere")
