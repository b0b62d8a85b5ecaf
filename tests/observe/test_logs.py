from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from telephony.observe.logs import LogFormat, LogLevel, configure_logs


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:], _ = before
    root.setLevel(before[1])


def configured(log_format: LogFormat = "json", level: LogLevel = "info") -> io.StringIO:
    stream = io.StringIO()
    configure_logs(log_format, level, stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_has_level_time_and_the_bound_call() -> None:
    stream = configured()
    structlog.get_logger().bind(call="c1").info("call.answered", setup_s=0.03)
    (line,) = lines(stream)
    assert line["event"] == "call.answered"
    assert (line["level"], line["call"], line["setup_s"]) == ("info", "c1", 0.03)
    assert line["timestamp"].endswith("Z")


def test_context_variables_are_in_every_line() -> None:
    stream = configured()
    structlog.contextvars.bind_contextvars(call="c2")
    structlog.get_logger().info("leg.held")
    assert lines(stream)[0]["call"] == "c2"


def test_lines_below_the_level_are_not_written() -> None:
    stream = configured(level="warning")
    structlog.get_logger().info("call.answered")
    structlog.get_logger().warning("model.lost")
    assert [line["event"] for line in lines(stream)] == ["model.lost"]


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("method", ["debug", "info", "warning", "error"])
def test_secrets_and_numbers_never_get_out(log_format: LogFormat, method: str) -> None:
    stream = configured(log_format, "debug")
    log = structlog.get_logger()
    getattr(log, method)("model.refused sk-secret123456", caller="+15555550100", api_key="hush")
    text = stream.getvalue()
    assert "secret123456" not in text
    assert "hush" not in text
    assert "5555550100" not in text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_tracebacks_have_no_local_variables_and_no_secrets(log_format: LogFormat) -> None:
    stream = configured(log_format)
    hidden_local = "hush-hush"
    try:
        raise ValueError("key sk-secret123456 for +15555550100")
    except ValueError:
        structlog.get_logger().exception("call.failed")
    text = stream.getvalue()
    assert "ValueError" in text
    assert "Traceback" in text
    assert hidden_local not in text.replace('hidden_local = "hush-hush"', "")
    assert "secret123456" not in text
    assert "5555550100" not in text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_libraries_are_rendered_the_same_way(log_format: LogFormat) -> None:
    stream = configured(log_format)
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        logging.getLogger("asyncio").exception("Exception in callback for %s", "sip:+15555550100@x")
    text = stream.getvalue()
    assert "Exception in callback" in text
    assert "RuntimeError: boom" in text
    assert "5555550100" not in text
    if log_format == "json":
        assert lines(stream)[0]["logger"] == "asyncio"


def test_chatty_libraries_are_quiet_even_at_debug() -> None:
    stream = configured(level="debug")
    logging.getLogger("websockets.client").debug("> Authorization: Bearer sk-secret123456")
    logging.getLogger("websockets.client").info("connection open")
    logging.getLogger("aiohttp.access").info("GET /metrics")
    assert stream.getvalue() == ""


def test_configuring_again_replaces_the_output() -> None:
    first, second = configured(), configured()
    structlog.get_logger().info("call.answered")
    logging.getLogger("asyncio").warning("slow")
    assert first.getvalue() == ""
    assert len(lines(second)) == 2


class _Gone(io.StringIO):
    """A pipe without a reader."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_log_that_nobody_reads_any_more_hurts_nobody() -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (_Gone(), closed):
        configure_logs("json", "info", stream)
        structlog.get_logger().info("call.received")
        logging.getLogger("library").warning("seen by nobody")
