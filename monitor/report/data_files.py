"""What the data files of a report hold, for its data dictionary and its `datapackage.json`."""

from collections.abc import Mapping
from pathlib import Path

from monitor.export.data_package import (
    DataFile,
    Described,
    described,
    dictionary_columns,
    write_data_package,
)
from monitor.export.kinds import Kind
from monitor.report.findings import Wanted

TIMELINE = (
    ("asn", "number", "AS number of the network; 0 when not configured."),
    ("network", "text", "Name of the network."),
    ("start", "UTC time", "First moment of the stretch of time."),
    ("end", "UTC time", "First moment after it."),
    ("looks", "number", "Verdicts on the platform in it; each is of one cycle of one vantage."),
    ("open", "number", "Those that found it working, wholly or in part."),
    ("blocked", "number", "Those that found it blocked."),
    ("throttled", "number", "Those that found it slowed down."),
    ("down", "number", "Those that found it failing at the control as well."),
    ("undecided", "number", "Those from which nothing could be concluded."),
    ("share_open", "number", "open / (open + blocked + throttled + down); empty where all are 0."),
)
"""The columns of data/timeline.csv."""


def describe_files(folder: Path, wanted: Wanted, rows: Mapping[str, int]) -> int:
    """Write the descriptor of the files in `folder`; returns how many it describes.

    `rows` are the rows of each file. OSError.
    """
    files = [
        DataFile(path=path, rows=rows[f"{folder.name}/{path.name}"], columns=_columns(path))
        for path in sorted(folder.iterdir())
    ]
    title = (
        f"{wanted.platform} in {wanted.country}, {wanted.since:%Y-%m-%d %H:%M} to "
        f"{wanted.until:%Y-%m-%d %H:%M} UTC"
    )
    return write_data_package(folder, files, title, (wanted.country, wanted.platform))


def _columns(path: Path) -> tuple[Described, ...]:
    if path.suffix != ".csv":
        return ()
    if path.stem == "timeline":
        return TIMELINE
    return dictionary_columns() if path.stem == "dictionary" else described(Kind(path.stem))
