from __future__ import annotations

import pytest

from telephony.stacks.trunks.outcome import Failure, outcome_of


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (302, "failed"),
        (400, "failed"),
        (401, "failed"),
        (403, "rejected"),
        (404, "not_found"),
        (408, "no_answer"),
        (480, "no_answer"),
        (484, "not_found"),
        (486, "busy"),
        (487, "no_answer"),
        (488, "failed"),
        (500, "failed"),
        (600, "busy"),
        (603, "rejected"),
        (604, "not_found"),
        (607, "rejected"),
        (0, "failed"),
    ],
)
def test_every_status_has_an_outcome(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome


@pytest.mark.parametrize(
    ("failure", "outcome", "server", "trunk"),
    [
        (Failure(408, "", local=True), "unreachable", True, True),
        (Failure(503, "", local=True), "unreachable", True, True),
        (Failure(0, "no DNS"), "unreachable", True, True),
        (Failure(503, "", local=False), "failed", True, True),
        (Failure(503, "", local=False, progressed=True), "failed", True, True),
        (Failure(500, "", local=False, progressed=True, rang=True), "failed", False, False),
        (Failure(408, "", local=True, progressed=True, rang=True), "no_answer", False, False),
        (Failure(407, "", local=False), "failed", False, True),
        (Failure(486, "", local=False), "busy", False, False),
    ],
)
def test_who_may_do_better(failure: Failure, outcome: str, server: bool, trunk: bool) -> None:
    assert failure.outcome == outcome
    assert (failure.server_failed, failure.trunk_failed) == (server, trunk)
