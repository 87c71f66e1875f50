"""The benchmark of a fleet, run small: what counts here is that it is right, not how fast."""

from math import isnan

import msgspec
import pytest

from benchmarks.fleet import Pace, run


@pytest.mark.timeout(900)
def test_a_small_fleet_out_of_order_is_judged_whole_and_once() -> None:
    """Eight agents in two countries send over real HTTP, each up to two seconds late. Whatever was
    acknowledged is judged once; the one block is one event, which is confirmed and names its
    country and platform; nothing else is told."""
    ran = run(8, Pace(interval=4.0, lasts=2.0, late=(0.1, 2.0), order_wait=2.5), seconds=10.0)
    assert ran.refused == 0
    assert len(ran.handed_in) > 30
    assert sorted(ran.judged) == sorted(ran.handed_in)
    told = {(event["kind"], event["country"], event["platform"]) for event in ran.events}
    assert told == {("block", "PK", "x")}
    last = {event["event_id"]: event["state"] for event in ran.events}
    assert sorted(last.values())[0] == "confirmed"
    assert set(last.values()) <= {"confirmed", "withdrawn"}
    assert list(last.values()).count("confirmed") == 1
    assert min(ran.lag) > 0
    assert ran.size > 1000
    assert ran.memory > 10_000_000


@pytest.mark.timeout(900)
def test_a_collector_without_agents_is_what_a_fleet_is_measured_against() -> None:
    """Controls alone report for as long as agents would. What an agent's cycle adds is the load
    above theirs, divided by the agents' cycles; without such a run it is unknown, not nothing."""
    alone = run(0, Pace(interval=4.0, lasts=2.0, order_wait=2.5), seconds=8.0)
    assert alone.agents == 0
    assert len(alone.judged) == len(alone.handed_in) >= 3 * 3
    assert alone.events == ()
    assert 0 < alone.load < 2
    busier = msgspec.structs.replace(alone, agents=8, load=alone.load + 0.5)
    assert busier.added(alone) == pytest.approx(0.5 * 4.0 / 8)
    assert isnan(busier.added(None))
    assert isnan(alone.added(alone))
