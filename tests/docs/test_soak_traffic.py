"""docs/soak-traffic.md holds whole days that came out as they must."""

import re
from pathlib import Path

from probes.settings import ProbeSettings

DOCUMENT = Path(__file__).parents[2] / "docs" / "soak-traffic.md"
TURNS = 288
"""Of five minutes, in a day."""


def days() -> dict[str, dict[str, str]]:
    """Name of each day → its cells by the names of their columns."""
    lines = re.findall(r"^\| (.*) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    head, *rows = (line.split(" | ") for line in lines)
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def number(cell: str) -> float:
    """What stands before the unit."""
    return float(cell.split()[0])


def test_whole_days_kept_to_their_bytes_and_forgot_nothing() -> None:
    """All turns of both days are accounted for, within the limit that is shipped, and every
    platform was looked at in each quarter of an hour, on a healthy day at every turn."""
    found = days()
    assert {name: day["found"] for name, day in found.items()} == {
        "all is well": "ok",
        "silence": "blocked",
    }
    for day in found.values():
        assert sum(int(day[one]) for one in ("whole", "modest", "left out")) == TURNS
        assert number(day["longest unseen"]) <= 15
        limit = ProbeSettings().daily_bytes / 1e6
        assert 0 < number(day["field"]) < limit
        assert 0 <= number(day["control"]) < limit
    assert found["all is well"]["left out"] == "0"
