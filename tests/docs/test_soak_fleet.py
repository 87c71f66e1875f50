"""docs/soak-fleet.md holds every trouble there is, at its full length, and each one showed."""

import re
from pathlib import Path

from tests.docs.test_metrics_docs import documented

DOCUMENT = Path(__file__).parents[2] / "docs" / "soak-fleet.md"
LONG = {
    "PostgreSQL stopped": 120,
    "Disk of PostgreSQL full": 60,
    "Disk of SQLite full": 60,
    "Disk of an agent full": 45,
    "Lines cut, certificates": 1,
}
"""Seconds that each has to last."""


def test_every_trouble_lasted_showed_and_ended() -> None:
    """All are there, none shorter than it has to be; something was handed in, and metrics that are
    documented counted each one."""
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in re.findall(r"^\| (.*) \|$", text, re.MULTILINE)[2:]]
    assert [row[0] for row in rows] == list(LONG)
    for what, lasted, _, measurements, receipts, shown in rows:
        assert int(lasted) >= LONG[what]
        assert int(measurements.replace(",", "")) > 0
        assert int(receipts) > 0
        told = dict(re.findall(r"`(\w+)[^`]*` (\d+)", shown))
        assert told.keys() <= documented().keys()
        assert all(int(count) > 0 for count in told.values()), what
