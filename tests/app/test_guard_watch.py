"""What operators read of an attack."""

from __future__ import annotations

from structlog.testing import capture_logs

from telephony.app.guard_watch import HINT, LINES_PER_INTERVAL, GuardWatch
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


def test_a_source_that_nobody_knows_is_told_once_with_the_way_out() -> None:
    guard = SourceGuard(GuardConfig(window_s=300.0))
    watch = GuardWatch(guard, lambda offence: None)
    with capture_logs() as logs:
        for second in range(3):
            guard.note("unknown_source", "192.0.2.1", float(second))
            watch.look(float(second))
        guard.note("unknown_source", "192.0.2.1", 301.0)
        watch.look(301.0)
    line = {"event": "source.unknown", "source": "192.0.2.1", "hint": HINT, "log_level": "warning"}
    assert logs == [line, line]


def test_thousands_of_unknown_sources_are_summed_up() -> None:
    guard = SourceGuard(GuardConfig())
    watch = GuardWatch(guard, lambda offence: None)
    for number in range(LINES_PER_INTERVAL + 4):
        guard.note("unknown_source", f"192.0.2.{number}", 0.0)
    with capture_logs() as logs:
        watch.look(1.0)
    assert [line["event"] for line in logs].count("source.unknown") == LINES_PER_INTERVAL
    assert logs[-1] == {"event": "sources.unknown", "more": 4, "log_level": "warning"}
