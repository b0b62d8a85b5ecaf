from __future__ import annotations

from structlog.testing import capture_logs

from telephony.app.connection_log import LINES_PER_SECOND, SILENT_S, ConnectionLog
from telephony.sip.flow import Flow

_LOCAL = ("127.0.0.1", 5061)


def test_a_failure_is_told_with_its_reason_and_not_again_too_soon() -> None:
    now = 10.0
    told = ConnectionLog(lambda: now)
    with capture_logs() as logs:
        told.failed(Flow("tls", ("::1", 5061), _LOCAL), "certificate is refused: expired")
        told.failed(Flow("tls", ("::1", 40000), _LOCAL), "certificate is refused: expired")
        told.failed(Flow("tls", ("::1", 5061), _LOCAL), "connection refused")
        now += SILENT_S
        told.failed(Flow("tls", ("::1", 5061), _LOCAL), "connection refused")
    assert logs[0] == {
        "event": "sip.connection_failed",
        "remote": "[::1]:5061",
        "transport": "tls",
        "reason": "certificate is refused: expired",
        "log_level": "warning",
    }
    assert [line["reason"] for line in logs[1:]] == ["connection refused"] * 2


def test_many_peers_do_not_fill_the_log() -> None:
    now = 10.0
    told = ConnectionLog(lambda: now)
    with capture_logs() as logs:
        for number in range(LINES_PER_SECOND * 3):
            told.failed(Flow("tcp", (f"192.0.2.{number}", 5060), _LOCAL), "timed out")
        assert len(logs) == LINES_PER_SECOND
        now += 1.0
        told.failed(Flow("tcp", ("192.0.2.99", 5060), _LOCAL), "timed out")
    assert len(logs) == LINES_PER_SECOND + 1
