"""An agent's bytes of a day over restarts, whatever its clock showed before and shows now."""

from datetime import UTC, date, datetime, timedelta

from monitor.agent.saved_state import TrafficOfDay
from monitor.agent.upload_traffic import DayTraffic
from monitor.budget.budget import Allotment
from monitor.budget.ledger import Ledger
from monitor.config.settings import Settings
from probes.catalog.catalog import Catalog
from probes.vantage import VantagePoint

HERE = "khi-ptcl"
SETTINGS = Settings(
    vantages=(VantagePoint(id=HERE, country="PK", asn=1),),
    catalog=Catalog(platforms=(), references=()),
)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Process:
    """One process of the agent, at the time that its clock shows."""

    def __init__(self, at: datetime, before: TrafficOfDay | None) -> None:
        self.at = at
        self.carried = 0
        self.ledger = Ledger(SETTINGS, now=lambda: self.at)
        self.traffic = DayTraffic(HERE, self.ledger, lambda: self.carried, lambda: self.at)
        self.traffic.resume(before)

    def bytes(self) -> tuple[int, int]:
        """Measured and uploaded today."""
        today = self.traffic.today()
        assert today.day == self.at.date()
        assert sum(today.looks.values()) == self.ledger.spent(HERE).total
        return self.ledger.spent(HERE).total, today.uploaded


def note(day: date) -> TrafficOfDay:
    """Of a process that ended: 100 bytes measured, 10 uploaded."""
    looks = {one.value: 0 for one in Allotment} | {Allotment.ROUTINE.value: 100}
    return TrafficOfDay(day=day, looks=looks, uploaded=10)


def test_a_restart_goes_on_with_the_bytes_of_today_and_no_other_day() -> None:
    """The next day begins at nothing."""
    process = Process(NOON, note(NOON.date()))
    assert process.bytes() == (100, 10)
    process.at += DAY
    assert process.bytes() == (0, 0)
    assert Process(NOON + DAY, note(NOON.date())).bytes() == (0, 0)


def test_bytes_of_a_clock_that_was_ahead_count_once_today() -> None:
    """It was put right before the restart. The day's bytes began anew with each restart."""
    process = Process(NOON, note((NOON + 3650 * DAY).date()))
    assert process.bytes() == (100, 10)
    process.at += DAY
    assert process.bytes() == (0, 0)


def test_bytes_of_today_count_where_a_machine_starts_with_an_old_date() -> None:
    """As a router without a clock does after each loss of power, until its clock is set."""
    process = Process(NOON - 30 * DAY, note(NOON.date()))
    assert process.bytes() == (100, 10)
    process.ledger.buy(HERE, Allotment.SPEED, 7)
    process.carried += 3
    process.at = NOON
    assert process.bytes() == (107, 13)
    process.at += DAY
    assert process.bytes() == (0, 0)


def test_a_clock_that_is_put_back_gives_no_bytes_again() -> None:
    """What was used by the wrong date is of today, uploads too."""
    process = Process(NOON, None)
    process.ledger.buy(HERE, Allotment.ROUTINE, 100)
    process.carried += 10
    process.at -= DAY
    assert process.bytes() == (100, 10)
    process.at += 2 * DAY
    assert process.bytes() == (0, 0)
