from __future__ import annotations

from structlog.testing import capture_logs

from telephony.stacks.pjsip.refusal_log import INTERVAL_S, RefusalLog


def test_a_flood_of_refusals_is_one_line_per_interval() -> None:
    refusals = RefusalLog()
    with capture_logs() as logs:
        for number in range(100):
            refusals.refused(486, "Busy Here", 1.0 + number / 100)
        refusals.refused(486, "Busy Here", 1.0 + INTERVAL_S)
    assert [log["calls"] for log in logs] == [1, 100]
    assert logs[0]["event"] == "call.refused"
    assert logs[0]["log_level"] == "warning"


def test_each_status_is_told_with_its_own_number() -> None:
    refusals = RefusalLog()
    with capture_logs() as logs:
        refusals.refused(486, "Busy Here", 1.0)
        refusals.refused(500, "Server Internal Error", 2.0)
        refusals.refused(486, "Busy Here", 3.0)
        refusals.refused(486, "Busy Here", 1.0 + INTERVAL_S)
    told = [(log["status"], log["calls"]) for log in logs]
    assert told == [(486, 1), (500, 1), (486, 2)]
