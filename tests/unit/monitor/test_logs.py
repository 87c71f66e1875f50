"""What is logged reaches its reader, and nobody fills the disk with it by causing a line a thousand
times a second."""

import io
import logging

import msgspec
import pytest
from structlog.testing import capture_logs

from monitor.logs import BoundedRate, LogSettings, configure, logger


def record(name: str, message: object, line: int = 1) -> logging.LogRecord:
    """A line as the logging module passes it on."""
    return logging.LogRecord(name, logging.WARNING, "there.py", line, message, None, None)


def test_lines_of_one_kind_are_bounded() -> None:
    """Two hundred at once, then ten a second, however many there are; the next one written says how
    many were left out. Other kinds are written all the same."""
    seconds = 0.0
    bounded = BoundedRate(lambda: seconds)
    written = 0
    for number in range(60_000):
        seconds = number / 1000
        written += bounded.filter(record("asyncio", "out of system resource", 1))
    assert 200 <= written <= 200 + 10 * 60 + 1
    assert bounded.filter(record("asyncio", "another fault", 2))
    assert bounded.filter(record("monitor.app", {"event": "cycle complete"}))
    seconds += 60
    last = record("asyncio", "out of system resource")
    assert bounded.filter(last)
    assert "such lines left out before" in last.getMessage()


def test_many_kinds_take_little_memory() -> None:
    """Kinds that nobody can count do not pile up."""
    bounded = BoundedRate()
    for number in range(5000):
        assert bounded.filter(record("x", "y", number))
    assert len(bounded._kinds) <= BoundedRate.most_kinds


def test_the_program_logs_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As configured: of five hundred equal lines two hundred stand in the log."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    out = io.StringIO()
    configure(LogSettings(format="json"), out)
    for number in range(500):
        logger("tests").warning("too much", number=number)
    lines = [msgspec.json.decode(line) for line in out.getvalue().splitlines()]
    assert 200 <= len(lines) <= 210
    assert lines[0]["event"] == "too much"


def test_what_is_configured_again_reaches_loggers_that_have_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They keep the processors that they began with, so there is one list of these."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    early = logger("early")
    for _ in range(2):
        configure(LogSettings(format="json"), io.StringIO())
        early.info("first")
    with capture_logs() as said:
        early.info("second")
    assert [line["event"] for line in said] == ["second"]
