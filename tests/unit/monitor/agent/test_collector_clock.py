"""Times of cycles are corrected by the collectors' clock, and never without knowing how."""

from datetime import UTC, datetime, timedelta

from monitor.agent.collector_clock import AgentClock, Anchor, Machine
from storage.values.times import time_text

TRUE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Hands:
    """Clocks that a test moves."""

    def __init__(self) -> None:
        self.ticks = 50.0
        self.wall = datetime(1986, 1, 1, tzinfo=UTC).timestamp()

    def pass_by(self, seconds: float) -> None:
        """Time passes."""
        self.ticks += seconds
        self.wall += seconds

    def machine(self, boot: str = "first") -> Machine:
        """As an agent sees it."""
        return Machine(boot=boot, since_boot=lambda: self.ticks, wall=lambda: self.wall)


def test_a_cycle_seen_before_the_collector_was_heard_is_dated_afterwards() -> None:
    """The machine's ticks join the two, whatever the wall clock did in between."""
    hands = Hands()
    clock = AgentClock(hands.machine())
    ended = clock.now()
    ticks = clock.since_boot(ended)
    hands.pass_by(600)
    hands.wall += 12_345  # somebody sets it
    assert clock.heard(TRUE, hands.ticks, hands.ticks)
    offset = clock.offset_of("first", ticks, ended)
    assert offset is not None
    assert ended + timedelta(seconds=offset) == TRUE - timedelta(seconds=600)


def test_a_cycle_of_another_start_of_the_machine_is_never_dated() -> None:
    """Neither by what was heard then, which another process may have noted, nor by what is heard
    now."""
    hands = Hands()
    noted = Anchor(boot="before", since_boot=10.0, at=TRUE.timestamp(), within=0.1)
    clock = AgentClock(hands.machine(), noted)
    assert clock.anchor is None
    clock.heard(TRUE, hands.ticks, hands.ticks)
    assert clock.offset_of("before", 20.0, clock.now()) is None


def test_what_an_earlier_process_heard_holds_while_the_machine_runs() -> None:
    """A restart of the agent alone forgets nothing."""
    hands = Hands()
    first = AgentClock(hands.machine())
    first.heard(TRUE, hands.ticks, hands.ticks)
    hands.pass_by(60)
    assert AgentClock(hands.machine(), first.anchor).collectors_now() == TRUE + timedelta(minutes=1)


def test_a_slow_answer_does_not_replace_a_quick_one_unless_the_clock_was_set() -> None:
    """Of two that agree the better one counts, until ticks may have drifted as far."""
    hands = Hands()
    clock = AgentClock(hands.machine())
    assert clock.heard(TRUE, hands.ticks, hands.ticks + 0.1)
    assert not clock.heard(TRUE + timedelta(seconds=1), hands.ticks, hands.ticks + 4)
    assert clock.heard(TRUE + timedelta(hours=1), hands.ticks, hands.ticks + 4)
    hands.pass_by(86_400)
    assert clock.heard(TRUE + timedelta(hours=25), hands.ticks, hands.ticks + 4)


def test_a_moment_is_written_as_the_collectors_read_it() -> None:
    """In UTC, to the microsecond, with a Z."""
    assert time_text(TRUE + timedelta(microseconds=7)) == "2026-03-01T12:00:00.000007Z"
