"""Logging: structlog for us, the same rendering for libraries that use ``logging``."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import Processor

from telephony.observe.redaction import redact_event

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


class _PatientStream:
    """Writes to ``stream`` as long as that works: a full disk or a reader that left ends no call.

    A line that can't be written is lost; the next one is tried again.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        # ValueError: the stream was closed.
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure_logs(
    log_format: LogFormat = "console", level: LogLevel = "info", stream: TextIO | None = None
) -> None:
    """Set up the process: one line per event, secrets and phone numbers never in it.

    Events are named ``noun.verb_past``. Bind the call id once (``get_logger().bind(call=...)`` or
    ``structlog.contextvars``) and every line of the call has it.
    """
    output = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    shared = _shared_processors()
    renderer = _renderer(log_format, output)
    patient = cast(TextIO, _PatientStream(output))
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=patient),
        cache_logger_on_first_use=False,
    )
    _configure_libraries(shared, renderer, patient, max(number, logging.INFO))


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # Text without local variables: those hold what must not be logged.
        structlog.processors.format_exc_info,
        redact_event,
    ]


def _renderer(log_format: LogFormat, output: TextIO) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(sort_keys=False, default=str)
    return structlog.dev.ConsoleRenderer(
        colors=output.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def _configure_libraries(
    shared: list[Processor], renderer: Processor, output: TextIO, level: int
) -> None:
    """Send what libraries log through the same processors; their debug output never."""
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # A line per connection and per request says nothing that our own events do not.
    for chatty in ("websockets", "aiohttp.access", "aiohttp.server"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _add_logger_name(logger: Any, method: str, event: Any) -> Any:
    event["logger"] = event["_record"].name
    return event
