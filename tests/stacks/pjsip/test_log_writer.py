from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.support.pjsip_stack import Bot

# isort: split
from types import SimpleNamespace

from telephony.stacks.pjsip.log_writer import PjsipLog, without_secrets

assert Bot


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "call to <sip:+4930123456@carrier.example> failed",
            "call to <sip:...carrier.example> failed",
        ),
        ("calling tel:+15550123456", "calling tel:..."),
        ("number 15550123456", "number ..."),
        ("a=crypto:1 AES_CM_128 inline:abc/def==", "a=crypto:1 AES_CM_128 inline:..."),
        ('response="deadbeef", x', "response=... x"),
        ("status 486", "status 486"),
    ],
)
def test_numbers_and_secrets_stay_out_of_the_log(line: str, shown: str) -> None:
    assert without_secrets(line) == shown


def test_errors_of_pjsip_are_warnings_of_ours() -> None:
    writer = PjsipLog()
    with capture_logs() as logs:
        for level in (1, 2):
            writer.write(SimpleNamespace(level=level, msg="x.c  something\n"))
        # A line that can't be read must not escape from the callback.
        writer.write(SimpleNamespace(level=1))
    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("pjsip.logged", "warning"),
        ("pjsip.logged", "debug"),
        ("pjsip.callback_failed", "error"),
    ]
