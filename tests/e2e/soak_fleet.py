"""What came of trouble in a fleet, as a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from tests.e2e.fleet import Stored
from tests.e2e.running import Monitor
from tests.scenarios.soak import table


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One trouble."""

    what: str
    lasted: float
    """Seconds."""
    recovered: float
    """Seconds from its end until everything that had waited was stored."""
    shown: Mapping[str, float]
    """Metrics that told of it, as they were afterwards."""
    measurements: int
    """Stored, none of them twice."""
    acknowledged: int
    """Batches that agents had receipts for, all of them stored."""


def row(
    what: str,
    lasted: float,
    recovered: float,
    shown: Mapping[str, float],
    stored: Stored,
    agents: Sequence[Monitor],
) -> Row:
    """Of what is stored in the end."""
    receipts = {line["batch"] for agent in agents for line in agent.said("batch delivered")}
    return Row(
        what=what,
        lasted=lasted,
        recovered=recovered,
        shown=shown,
        measurements=sum(map(len, stored.looks.values())),
        acknowledged=len(receipts),
    )


_HEAD = ("trouble", "lasted (s)", "all there after (s)", "measurements", "receipts", "shown by")
_TEXT = """# What agents hand in when something fails

Written by `make soak` (`pytest -m soak`). Real agents and collectors in the lab of network
namespaces (tests/lab), with cycles of earlier in their spools and new ones every five seconds, over
a line that takes 40,000 bytes each second; all rows side by side on one machine. Each trouble comes
while they hand in, but for that of the agent's disk, which has no line meanwhile. In every row all
measurements that were in a spool were stored once and none twice, every batch that an agent had a
receipt for was stored, and nobody did anything to mend it but end the trouble.

"""


def write(rows: Sequence[Row]) -> None:
    """Write docs/soak-fleet.md."""
    cells = [
        (
            one.what,
            f"{one.lasted:.0f}",
            f"{one.recovered:.0f}",
            f"{one.measurements:,}",
            one.acknowledged,
            ", ".join(f"`{name}` {value:.0f}" for name, value in one.shown.items()),
        )
        for one in rows
    ]
    file = Path(__file__).parents[2] / "docs" / "soak-fleet.md"
    file.write_text(_TEXT + table(_HEAD, cells), encoding="utf-8")
