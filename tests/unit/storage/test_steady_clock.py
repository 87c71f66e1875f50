"""Our time goes on whatever happens to the machine's clock; servers' dates alone move it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.values.steady_clock import HELD, Clocks, SteadyClock, clocks_of_this_machine

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, DAY = 3600.0, 86400.0


class Machine:
    """A machine whose clock a test sets."""

    def __init__(self, wrong: float = 0.0) -> None:
        """`wrong`: seconds by which its clock is ahead."""
        self.ticks = 50.0
        self.wrong = wrong
        self.clock = SteadyClock(
            Clocks(
                since_boot=lambda: self.ticks,
                wall=lambda: NOON.timestamp() + self.ticks - 50.0 + self.wrong,
            )
        )

    def after(self, seconds: float) -> None:
        """Time passes, and the machine's clock is looked at as often as a program does."""
        until = self.ticks + seconds
        while self.ticks < until:
            self.ticks += 2.0
            self.clock.look()

    @property
    def error(self) -> float:
        """Seconds by which our time is ahead of the truth."""
        true = NOON + timedelta(seconds=self.ticks - 50.0)
        return (self.clock.now() - true).total_seconds()

    def cycle(self, servers: int = 5, *, proven: bool = True) -> None:
        """A cycle ends in which so many servers gave their dates."""
        cycles = self.error - self.clock.correction
        self.clock.compare(cycles if servers else None, servers, proven=proven)
        self.clock.settle()


@pytest.mark.parametrize("step", [-DAY, -HOUR, -90.0, 90.0, HOUR, DAY])
def test_a_step_that_servers_contradict_moves_nothing(step: float) -> None:
    """Attack: somebody sets the machine's clock, by NTP or by hand, and leaves it so."""
    machine = Machine()
    machine.cycle()
    machine.wrong = step
    machine.after(HOUR)
    machine.cycle()
    assert machine.error == pytest.approx(0.0)
    assert machine.clock.ahead == pytest.approx(step)
    assert machine.clock.steps == 1


def test_a_step_while_no_server_answers_moves_nothing_either() -> None:
    """In a shutdown nobody gives a date: our time was right before, and is still."""
    machine = Machine()
    machine.cycle()
    machine.wrong = -HOUR
    for _ in range(20):
        machine.after(HOUR)
        machine.cycle(servers=0)
    assert machine.error == pytest.approx(0.0)


def test_forged_dates_in_cleartext_do_not_move_a_confirmed_time() -> None:
    """Attack: whoever forges NTP and the dates in cleartext sets both."""
    machine = Machine()
    machine.cycle()
    machine.wrong = DAY
    machine.clock.compare(-DAY, 9, proven=False)
    assert machine.error == pytest.approx(0.0)


def test_one_server_alone_does_not_move_our_time() -> None:
    """Attack: the only server that answers in a shutdown is the state's, and lies about the
    time."""
    machine = Machine()
    machine.clock.compare(HOUR, 1, proven=True)
    assert machine.error == pytest.approx(0.0)


@pytest.mark.parametrize("wrong", [-56 * 365 * DAY, -DAY, -HOUR, HOUR])
@pytest.mark.parametrize("proven", [True, False])
def test_a_machine_that_starts_with_a_wrong_clock_is_put_right(wrong: float, proven: bool) -> None:
    """A small computer without a battery starts anywhere; NTP sets it a little later, and the first
    cycle tells us. Its own times are corrected as well."""
    machine = Machine(wrong)
    machine.after(20)
    machine.wrong = 0.0
    before = machine.clock.now_in_cycles()
    assert machine.clock.compare(machine.error, 2, proven=proven)
    assert machine.error == pytest.approx(0.0)
    assert machine.clock.now_in_cycles() == before
    assert machine.clock.correction == pytest.approx(-wrong)
    machine.clock.settle()
    assert machine.clock.correction == 0
    assert machine.clock.now_in_cycles() == machine.clock.now()


def test_a_machine_whose_clock_stays_wrong_is_put_right_by_several_servers() -> None:
    """Restarted while its clock is an hour behind, a monitor dates what follows by its servers."""
    machine = Machine(-HOUR)
    machine.cycle(servers=2)
    assert machine.error == pytest.approx(-HOUR)
    machine.cycle(servers=3)
    assert machine.error == pytest.approx(0.0)
    assert machine.clock.confirmed


def test_without_any_date_our_time_follows_a_clock_that_stays_elsewhere() -> None:
    """A collector that measures nothing has only the machine's clock. A short step is not
    followed."""
    machine = Machine(-DAY)
    machine.after(60)
    machine.wrong = 0.0
    machine.after(HELD - 60)
    assert machine.error == pytest.approx(-DAY)
    machine.after(120)
    assert machine.error == pytest.approx(0.0)
    machine.wrong = HOUR
    machine.after(HELD / 2)
    machine.wrong = 0.0
    machine.after(HOUR)
    assert machine.error == pytest.approx(0.0)


@given(st.lists(st.tuples(st.floats(1, 600), st.floats(-2 * DAY, 2 * DAY)), max_size=12))
def test_our_time_never_goes_back(steps: list[tuple[float, float]]) -> None:
    """However the clock is set, each moment is later than the one before, by what passed."""
    machine = Machine()
    machine.cycle()
    for seconds, wrong in steps:
        before, began = machine.clock.now(), machine.ticks
        machine.wrong = wrong
        machine.after(seconds)
        machine.cycle()
        passed = timedelta(seconds=machine.ticks - began)
        assert abs(machine.clock.now() - before - passed) < timedelta(milliseconds=1)


def test_the_clock_of_this_machine_is_right() -> None:
    """Whatever was done to the machine's clock since this process began: one on a virtual machine
    that was halted for 18 s was behind by as much."""
    clock = SteadyClock(clocks_of_this_machine())
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
