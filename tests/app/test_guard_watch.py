"""What operators read of an attack."""

from __future__ import annotations

from structlog.testing import capture_logs

from telephony.app.guard_watch import LINES_PER_INTERVAL, GuardWatch
from telephony.sip.source_guard import GuardConfig, SourceGuard


def test_bans_are_told_and_counted_and_a_flood_of_them_is_summed_up() -> None:
    guard = SourceGuard(GuardConfig())
    counted: list[str] = []
    watch = GuardWatch(guard, counted.append)
    sources = [f"192.0.2.{number}" for number in range(LINES_PER_INTERVAL + 3)]
    for source in sources:
        guard.note("scanner", source, 0.0)
    with capture_logs() as logs:
        watch.look(1.0)
        watch.look(2.0)
    lines = [line for line in logs if line["event"] == "source.banned"]
    assert [line["source"] for line in lines] == sources[:LINES_PER_INTERVAL]
    (rest,) = [line for line in logs if line["event"] == "sources.banned"]
    assert (rest["more"], rest["offences"]) == (3, {"scanner": 3})
    assert counted == ["scanner"] * len(sources)


def test_releases_are_told_in_one_line() -> None:
    guard = SourceGuard(GuardConfig(ban_s=10.0))
    watch = GuardWatch(guard, lambda offence: None)
    for number in range(3):
        guard.note("scanner", f"192.0.2.{number}", 0.0)
    watch.look(1.0)
    with capture_logs() as logs:
        watch.look(20.0)
    assert logs == [{"event": "sources.released", "count": 3, "log_level": "info"}]
