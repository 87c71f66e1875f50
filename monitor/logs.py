"""Structured logs on standard error: text for a terminal, JSON for programs.

A log line holds ids and states, never an address of the vantage or of a client.
"""

import logging
import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO, cast

import msgspec

if TYPE_CHECKING:
    import structlog


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[log]` table."""

    level: str = "info"
    format: str = "auto"
    """`json`, `text`, or `auto`: text on a terminal."""


class BoundedRate(logging.Filter):
    """Lets through a bounded number of lines of one kind, and says how many it left out: whoever
    causes a line must not fill the disk by it."""

    burst = 200.0
    """Lines of a kind at once."""
    per_second = 10.0
    most_kinds = 1000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        super().__init__()
        self._clock = clock
        self._kinds: dict[tuple[str, object], tuple[float, float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it."""
        event = record.msg
        # Our own lines have constant events. Others count by the place in the code that logs them.
        kind = event.get("event") if isinstance(event, dict) else (record.pathname, record.lineno)
        key = (record.name, kind)
        now = self._clock()
        allowed, at, left_out = self._kinds.pop(key, (self.burst, now, 0))
        allowed = min(self.burst, allowed + (now - at) * self.per_second)
        written = allowed >= 1
        if written and left_out:
            self._add(record, left_out)
        self._kinds[key] = (allowed - 1, now, 0) if written else (allowed, now, left_out + 1)
        if len(self._kinds) > self.most_kinds:
            del self._kinds[next(iter(self._kinds))]
        return written

    def _add(self, record: logging.LogRecord, left_out: int) -> None:
        if isinstance(record.msg, dict):
            record.msg = {**record.msg, "left_out_before": left_out}
        else:
            record.msg = f"{record.msg} ({left_out} such lines left out before)"


_PROCESSORS: list[Any] = []
"""One list for good: a logger keeps the one that it began with."""


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Set up logging for the process, library logs included, by default to standard error.

    A file that it writes to, and that everybody may read, is its owner's alone from now on.
    """
    import structlog

    stream = stream or sys.stderr
    _keep_private(stream)
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
    _PROCESSORS[:] = [*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(BoundedRate())
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
    for noisy in ("apscheduler", "httpx", "httpcore", "uvicorn", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _keep_private(stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # no file, or somebody else's
        descriptor = stream.fileno()
        found = os.fstat(descriptor).st_mode
        if stat.S_ISREG(found) and found & 0o007:
            os.fchmod(descriptor, 0o600)


class _Later:
    """A logger that imports structlog when it is first used: most commands log nothing, and the
    import takes a third of what they need to start."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._logger, attribute)

    @cached_property
    def _logger(self) -> "structlog.stdlib.BoundLogger":
        import structlog

        found: structlog.stdlib.BoundLogger = structlog.get_logger(self._name)
        return found


def logger(name: str) -> "structlog.stdlib.BoundLogger":
    """A logger for one module."""
    return cast("structlog.stdlib.BoundLogger", _Later(name))
