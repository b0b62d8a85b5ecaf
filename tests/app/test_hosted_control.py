from __future__ import annotations

from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from telephony.app import hosted_control
from telephony.app.hosted_control import HostedControl
from telephony.net.json_client import HttpAnswer
from telephony.realtime.hosted import control


class Client:
    """Answers with ``statuses`` in order, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.posts: list[tuple[str, Any, Any]] = []

    async def post(
        self, url: str, headers: Any, body: Any = None, *, timeout_s: float
    ) -> HttpAnswer:
        self.posts.append((url, headers, body))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        failure = "" if status else "no answer within 5 s"
        return HttpAnswer(status, b"", failure)


@pytest.mark.parametrize(
    ("statuses", "tries", "status"),
    [
        ((200,), 1, 200),
        ((404,), 1, 404),
        ((401,), 1, 401),
        ((409,), 1, 409),
        ((500, 200), 2, 200),
        ((0, 429, 200), 3, 200),
        ((503,), 3, 503),
    ],
)
async def test_what_may_pass_is_asked_again(
    statuses: tuple[int, ...], tries: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted_control, "RETRY_DELAYS_S", (0.0, 0.0))
    client = Client(*statuses)
    send = HostedControl(client, "https://api.openai.com/v1/", {"api-key": "k"})  # type: ignore[arg-type]
    call_log = structlog.get_logger().bind(call="c1", hosted_call="rtc_1")
    with capture_logs() as logs:
        answer = await send(control.reject("realtime", "rtc_1", 486), call_log)
    assert answer.status == status
    assert len(client.posts) == tries
    url, headers, body = client.posts[0]
    assert url == "https://api.openai.com/v1/realtime/calls/rtc_1/reject"
    assert headers == {"api-key": "k"}
    assert body == {"status_code": 486}
    failures = [line for line in logs if line["event"] == "hosted.request_failed"]
    assert len(failures) == tries - (answer.done or answer.gone)
    assert all((line["call"], line["hosted_call"]) == ("c1", "rtc_1") for line in failures)
