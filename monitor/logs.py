"""Structured logs on standard error: text for a terminal, JSON for programs.

A log line holds ids and states, never an address of the vantage or of a client.
"""

import logging
import sys
from typing import TextIO

import msgspec
import structlog


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[log]` table."""

    level: str = "info"
    format: str = "auto"
    """`json`, `text`, or `auto`: text on a terminal."""


def configure(settings: LogSettings, stream: TextIO = sys.stderr) -> None:
    """Set up logging for the process, library logs included."""
    as_json = settings.format == "json" or (settings.format == "auto" and not stream.isatty())
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    # At info these repeat what shutwatch logs itself, or name the client's address.
    for noisy in ("httpx", "httpcore", "uvicorn", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for one module."""
    found: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return found
