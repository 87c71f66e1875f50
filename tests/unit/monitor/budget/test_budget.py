"""A day's bytes are shared out so that they last until midnight, with looks spread evenly."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.budget.budget import (
    DAY,
    NOTHING,
    Allotment,
    Budget,
    Costs,
    Effort,
    Spent,
    allotment_of,
)
from probes.measurement import Purpose

MEGABYTE = 1_000_000
BUDGET = Budget(limit=300 * MEGABYTE, interval=300.0)
NORMAL = Costs(whole=1_400_000, modest=400_000)


def day(
    budget: Budget, costs: Costs, *, jitter: float = 0.0, suspicious: int = 0, needed: int = 0
) -> tuple[list[tuple[float, Effort]], Spent]:
    """The cycles of one day in which each costs what is expected, and what was spent.

    For suspicion each asks for `suspicious` bytes in twenty parts, and takes `needed` in any case.
    """
    spent, last, at = NOTHING, -budget.interval, 0.0
    done: list[tuple[float, Effort]] = []
    while at < DAY:
        effort = budget.effort(costs, spent, at, at - last)
        if effort is not Effort.NONE:
            done.append((at, effort))
            spent = spent.plus(Allotment.ROUTINE, costs.expected(effort))
            spent = spent.plus(Allotment.SUSPICION, min(needed, max(0, round(budget.left(spent)))))
            for _ in range(20):
                if budget.affords(Allotment.SUSPICION, suspicious // 20, spent, at):
                    spent = spent.plus(Allotment.SUSPICION, suspicious // 20)
            last = at
        at += budget.interval + (jitter if len(done) % 2 else -jitter)
    return done, spent


def longest_gap(done: list[tuple[float, Effort]]) -> float:
    """The longest time without a cycle, the end of the day included."""
    times = [at for at, _ in done] + [DAY]
    return max(later - before for before, later in pairwise(times))


def test_what_is_cheap_enough_is_looked_at_closely_in_every_turn() -> None:
    """A vantage within its bytes never does less than it could."""
    done, spent = day(BUDGET, Costs(whole=500_000, modest=200_000))
    assert {effort for _, effort in done} == {Effort.WHOLE}
    assert len(done) == 288
    assert spent.total < BUDGET.limit


def test_what_is_too_dear_is_looked_at_modestly_and_closely_in_between() -> None:
    """No turn is left out, whole cycles come evenly over the day, and bytes are used."""
    done, spent = day(BUDGET, NORMAL)
    assert len(done) == 288
    whole = [at for at, effort in done if effort is Effort.WHOLE]
    quarters = [sum(at // (DAY / 4) == quarter for at in whole) for quarter in range(4)]
    assert min(quarters) >= 5
    assert max(quarters) - min(quarters) <= 6  # the head start is used in the first
    assert 0.9 < spent.total / BUDGET.share(Allotment.ROUTINE) <= 1


def test_no_turn_is_left_out_for_close_looks_before() -> None:
    """Where modest cycles all day take nearly all there is, whole ones at its start must not."""
    done, spent = day(BUDGET, Costs(whole=1_844_000, modest=555_200))
    assert len(done) == 288
    assert longest_gap(done) == BUDGET.interval
    assert spent.total / BUDGET.share(Allotment.ROUTINE) > 0.97


def test_where_not_even_that_fits_turns_are_left_out_evenly() -> None:
    """The wait stays within ten minutes and a turn while the day's bytes suffice for that."""
    done, spent = day(BUDGET, Costs(whole=6_000_000, modest=1_500_000), jitter=30.0)
    assert longest_gap(done) <= 960.0
    assert len(done) < 288
    assert spent.total <= BUDGET.limit * 0.97


@pytest.mark.parametrize(
    ("modest", "needed"),
    [(1_150_000, 0), (1_150_000, 900_000), (1_350_000, 0), (1_350_000, 900_000), (1_600_000, 0)],
)
def test_where_all_is_suspicious_the_wait_is_as_short_at_night_as_by_day(
    modest: int, needed: int
) -> None:
    """What suspicion is given at night, or takes beyond that, is not used up by then."""
    costs = Costs(whole=3_000_000, modest=modest)
    done, spent = day(BUDGET, costs, suspicious=1_500_000, needed=needed)
    assert longest_gap(done) <= 900.0
    assert spent.total <= BUDGET.limit


@given(
    limit=st.integers(MEGABYTE, 10_000 * MEGABYTE),
    whole=st.integers(1, 40 * MEGABYTE),
    share=st.floats(0.1, 1.0),
    interval=st.sampled_from([60.0, 300.0, 900.0, 3600.0]),
    control=st.booleans(),
)
def test_no_day_exceeds_its_bytes(
    limit: int, whole: int, share: float, interval: float, control: bool
) -> None:
    """Whatever cycles cost, however often they are wanted, the limit holds."""
    budget = Budget(limit=limit, interval=interval, control=control)
    _, spent = day(budget, Costs(whole=whole, modest=max(1, round(share * whole))))
    assert spent.total <= limit


@given(at=st.floats(0, DAY), looks=st.integers(0, 20), costs=st.integers(1, MEGABYTE))
def test_suspicion_is_bounded_too(at: float, looks: int, costs: int) -> None:
    """However many extra looks are asked for, all that are granted fit into the day."""
    spent = Spent(looks=looks * 10 * MEGABYTE)
    granted = 0
    while granted < 500 and BUDGET.affords(Allotment.SUSPICION, costs, spent, at):
        spent = spent.plus(Allotment.SUSPICION, costs)
        granted += 1
    assert spent.suspicion == 0 or spent.total <= BUDGET.limit


def test_suspicion_has_bytes_of_its_own_from_midnight_on() -> None:
    """Routine that spent all it may leaves what suspicion needs for a first look at everything."""
    spent = Spent(looks=round(BUDGET.share(Allotment.ROUTINE)))
    assert BUDGET.affords(Allotment.SUSPICION, 10 * MEGABYTE, spent, 0.0)
    assert not BUDGET.affords(Allotment.ROUTINE, 1_000, spent, 0.0)


def test_suspicion_may_take_what_speed_leaves_and_nothing_twice() -> None:
    """A blocked day measures no speed; speed measured on suspicion is not paid by both."""
    at = DAY / 2
    alone = BUDGET.credit(Allotment.SUSPICION, NOTHING, at)
    assert BUDGET.affords(Allotment.SUSPICION, round(alone + 5 * MEGABYTE), NOTHING, at)
    fast = Spent(speed=round(BUDGET.share(Allotment.SPEED) + BUDGET.share(Allotment.SUSPICION)))
    assert not BUDGET.affords(Allotment.SUSPICION, 1_000, fast, at)


def test_routine_is_what_every_cycle_does() -> None:
    """Repeats, controls and follow-ups are suspicion; transfers are speed; the rest is routine."""
    assert {look for look in Purpose if allotment_of(look) is Allotment.ROUTINE} == {
        Purpose.SCHEDULED,
        Purpose.REFERENCE,
        Purpose.ADHOC,
    }
    assert allotment_of(Purpose.TRANSFER) is Allotment.SPEED
    assert allotment_of(Purpose.RETRY) is allotment_of(Purpose.FOLLOW_UP) is Allotment.SUSPICION


def test_an_unknown_cost_does_not_keep_the_first_cycle_waiting() -> None:
    """A monitor that was just started looks at once."""
    assert BUDGET.effort(Costs(), NOTHING, 0.0, 1e9) is Effort.WHOLE
