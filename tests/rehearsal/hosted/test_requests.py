from __future__ import annotations

import json
from typing import Any

import pytest

from telephony.rehearsal.hosted.requests import error, session_of, status_of, target_of
from telephony.rehearsal.outbox import ClientError

REALTIME = {"type": "realtime", "model": "gpt-realtime-2.1"}
LIVE = {"type": "live", "model": "gpt-live-1"}


def test_good_bodies() -> None:
    assert session_of(REALTIME, "realtime") == REALTIME
    assert session_of({"session": LIVE}, "live") == LIVE
    assert status_of({}, "realtime") == 603
    assert status_of({"status_code": 486}, "live") == 486
    assert target_of({"target_uri": "tel:+15550123"}) == "tel:+15550123"


@pytest.mark.parametrize(
    ("body", "surface"),
    [
        (LIVE, "realtime"),
        (REALTIME, "live"),
        ({"session": REALTIME}, "live"),
        ({"type": "realtime"}, "realtime"),
        (REALTIME | {"model": "gpt-live-1"}, "realtime"),
        ({"session": LIVE | {"audio": {"format": {}}}}, "live"),
    ],
)
def test_sessions_of_the_wrong_kind(body: dict[str, Any], surface: Any) -> None:
    with pytest.raises(ClientError):
        session_of(body, surface)


@pytest.mark.parametrize("status", [299, 700, "486", None])
def test_statuses_that_reject_nothing(status: Any) -> None:
    with pytest.raises(ClientError):
        status_of({"status_code": status}, "live")


@pytest.mark.parametrize("target", [None, "", "mailto:a@b", 7])
def test_targets_nobody_can_call(target: Any) -> None:
    with pytest.raises(ClientError):
        target_of({"target_uri": target})


def test_an_error_is_written_as_the_api_writes_it() -> None:
    answer = error(404, "call_not_found", "No such call.")
    assert answer.status == 404
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body)["error"]["code"] == "call_not_found"
