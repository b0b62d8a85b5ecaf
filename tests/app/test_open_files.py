"""The limit of open files is raised for the calls that are allowed."""

from __future__ import annotations

import resource

import pytest
from structlog.testing import capture_logs

from telephony.app.open_files import CONNECTIONS, SOCKETS_PER_CALL, allow_open_files


class Limits:
    """Stands for the kernel's limits of this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.now = (soft, hard)
        monkeypatch.setattr(resource, "getrlimit", lambda kind: self.now)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _set(self, kind: int, limits: tuple[int, int]) -> None:
        assert kind == resource.RLIMIT_NOFILE
        self.now = limits


@pytest.mark.parametrize("hard", [1_000_000, resource.RLIM_INFINITY])
def test_the_soft_limit_is_raised(monkeypatch: pytest.MonkeyPatch, hard: int) -> None:
    limits = Limits(monkeypatch, 1024, hard)
    with capture_logs() as logs:
        allow_open_files(300)
    assert limits.now == (300 * SOCKETS_PER_CALL + CONNECTIONS, hard)
    assert logs == []


def test_one_that_is_high_enough_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(monkeypatch, 1_000_000, 1_000_000)
    allow_open_files(300)
    assert limits.now == (1_000_000, 1_000_000)


def test_a_hard_limit_that_is_too_low_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(monkeypatch, 1024, 2048)
    with capture_logs() as logs:
        allow_open_files(300)
    assert limits.now == (2048, 2048)
    assert [line["event"] for line in logs] == ["open_files.limited"]
