"""How long the hours, days, weeks and months of counts are: no file says it."""

from datetime import timedelta
from pathlib import Path

import pytest

from monitor.config.catalog import shipped_catalog
from monitor.replay.formats import RowCounts, RowFilter
from monitor.replay.imported_row import Row
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.row_files import rows_in

NAMES = PlatformLookup(shipped_catalog())
COUNTS = (
    "measurement_start_day,probe_cc,test_name,measurement_count,ok_count,anomaly_count,"
    "confirmed_count,failure_count\n"
)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


def _rows(tmp_path: Path, text: str, wanted: RowFilter | None = None) -> list[Row]:
    path = tmp_path / "some.csv"
    path.write_text(COUNTS + text)
    return rows_in(path, NAMES, wanted or RowFilter(), RowCounts())


def _lasting(tmp_path: Path, *begins: str) -> set[timedelta]:
    lines = "".join(f"{at},MY,whatsapp,9,9,0,0,0\n" for at in begins)
    return {row.until - row.at for row in _rows(tmp_path, lines)}


def test_counts_last_as_long_as_they_lie_apart(tmp_path: Path) -> None:
    """Days, or hours; failures of the test itself are not counted."""
    days = "2024-01-01,MY,whatsapp,100,90,5,1,4\n2024-01-02,MY,whatsapp,10,10,0,0,0\n"
    first, _ = _rows(tmp_path, days)
    assert (first.total, first.failed, first.confirmed) == (96, 6.0, 1)
    assert first.until - first.at == DAY
    assert _lasting(tmp_path, "2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z") == {HOUR}


def test_counts_of_months_last_until_the_next(tmp_path: Path) -> None:
    """January has 31 days, February of a leap year 29."""
    months = "".join(f"2024-0{month}-01,MY,whatsapp,100,90,5,1,4\n" for month in (1, 2, 4))
    ends = [row.until.isoformat()[:10] for row in _rows(tmp_path, months)]
    assert ends == ["2024-02-01", "2024-03-01", "2024-05-01"]


LASTING = {
    "sparse days": (DAY, ("2024-01-01", "2024-01-10", "2024-01-18", "2024-02-14", "2024-02-25")),
    "days two weeks apart, but for one": (DAY, ("2024-01-01", "2024-01-15", "2024-01-30")),
    "sparse hours": (
        HOUR,
        ("2024-01-01T03:00:00Z", "2024-01-03T08:00:00Z", "2024-01-09T23:00:00Z"),
    ),
    "hours, one at midnight": (HOUR, ("2024-01-01T00:00:00Z", "2024-01-15T13:00:00Z")),
    "sparse days of another time zone": (
        DAY,
        ("2024-01-01T00:00:00+05:00", "2024-01-03T00:00:00+05:00", "2024-01-09T00:00:00+05:00"),
    ),
    "weeks": (WEEK, ("2024-01-07", "2024-01-14", "2024-01-21")),
    "sparse weeks": (WEEK, ("2024-01-07", "2024-01-28", "2024-02-11")),
    "two on one weekday": (WEEK, ("2024-01-07", "2024-01-14")),
    "one day": (DAY, ("2024-01-07",)),
    "one first of a month": (DAY, ("2024-01-01",)),
    "one hour": (HOUR, ("2024-01-07T13:00:00Z",)),
}


@pytest.mark.parametrize("case", LASTING)
def test_the_longest_interval_that_fits_every_beginning(tmp_path: Path, case: str) -> None:
    """Networks that are seldom measured have days without a row. The smallest distance made weeks
    of their days."""
    lasts, begins = LASTING[case]
    assert _lasting(tmp_path, *begins) == {lasts}


@pytest.mark.parametrize("wanted", [RowFilter(country="TM"), RowFilter(platform="telegram")])
def test_rows_that_are_not_wanted_show_it_too(tmp_path: Path, wanted: RowFilter) -> None:
    """A country measured on two Mondays, in a file of days."""
    lines = "".join(f"2024-01-0{day},MY,whatsapp,9,9,0,0,0\n" for day in range(1, 9))
    lines += "".join(f"2024-01-0{day},TM,telegram,9,9,0,0,0\n" for day in (1, 8))
    rows = _rows(tmp_path, lines, wanted)
    assert [row.until - row.at for row in rows] == [DAY, DAY]
