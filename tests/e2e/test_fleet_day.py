"""A day without a line, and kill -9: everything arrives once, and nothing seems to be now."""

import random
import time
from collections.abc import Iterator
from functools import partial

import pytest

from monitor.analysis.events.event import EventState
from tests.e2e.fleet import AGENTS, Collector, Fleet, cycles_of
from tests.e2e.hardship import DAY, BadLine, Day, kill, said_to_be_spooled, stored_ids, template_of
from tests.e2e.running import Monitor, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.worlds.postgresql import Cluster

pytestmark = [pytest.mark.lab, pytest.mark.postgres, pytest.mark.timeout(900)]

BEHIND = 1200.0
"""Seconds from the end of the day to now: past what is live."""
SPOOLING, PUSHING = 2, 3
"""kill -9 while the day is spooled, and while it is handed in; one more comes in between."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One network, one control."""
    with Lab([LabNetwork("ptcl", 17557)], controls=1) as made:
        yield made


class Shown:
    """What the leader shows of the vantage, looked at again and again."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self.began = time.time()
        self.looks: list[float] = []
        self.backfilled: list[float] = []
        self.states: set[str] = set()
        self.reports: set[float] = set()

    def moved(self, before: float) -> bool:
        """Whether more has been backfilled by now."""
        return self.look() > before

    def look(self) -> float:
        """Once more; how much was backfilled."""
        now = self._collector.scrape()
        late = sum(now.samples("shutwatch_backfilled_measurements_total").values())
        looks = sum(now.samples("shutwatch_probes_total", vantage="ptcl").values())
        states = now.samples("shutwatch_platform_state", vantage="ptcl")
        self.states |= {dict(labels)["state"] for labels, value in states.items() if value == 1}
        last = "shutwatch_vantage_last_report_timestamp_seconds"
        self.reports |= {*now.samples(last, vantage="ptcl").values()}
        self.looks.append(looks)
        self.backfilled.append(late)
        return late


@pytest.mark.soak
def test_a_day_offline_arrives_once_and_moves_nothing_live(
    lab: Lab, cluster: Cluster, database: str
) -> None:
    """288 cycles in which X was blocked are spooled while there is no line, and handed in while X
    is open; programs are killed six times on the way. Each measurement that was ever durably in the
    spool is stored once and none twice. The leader never says that X is blocked, its counter of
    looks ends at exactly those that were live, and the time of the last report is never of that
    day; the counter of what was backfilled ends at exactly the day's."""
    rng = random.Random(24)
    network = lab.network("ptcl")
    url = cluster.url(database)
    with Fleet(lab, url, "day") as fleet:
        fleet.enrol(lab.networks)
        line = BadLine(fleet, AGENTS, AGENTS + 1)
        line.be(open=False)
        network.block(dns=["x.com", ".x.com", "twitter.com", ".twitter.com"], how="bogon")
        day = Day(fleet, network, template_of(fleet, network, AGENTS), DAY, time.time() - BEHIND)
        day.spool(rng, SPOOLING)
        spooled = day.spooled()
        assert {put.cycle for put in day.told()} <= spooled.keys()
        assert len(spooled) - len(day.told()) <= SPOOLING
        wanted = [look for looks in spooled.values() for look in looks]
        network.reset()

        collector = fleet.collector(1, AGENTS + 1)
        wait_for(collector.leads, "a leader")
        shown = Shown(collector)
        agents = [fleet.agent(network)]
        wait_for(lambda: cycles_of(agents[0]), "a cycle without a line")
        time.sleep(rng.uniform(0.0, 1.0))
        kill(agents[0].process)
        line.be(open=True, rate=100_000.0)
        for _ in range(PUSHING):
            agents.append(fleet.agent(network))
            begun = shown.look()
            wait_for(partial(shown.moved, begun), "some of the day to arrive")
            time.sleep(rng.uniform(0.0, 1.0))
            kill(agents[-1].process)
        assert shown.look() < len(wanted), "it was all handed in before it could be killed"
        line.be(rate=0.0)
        agents.append(fleet.agent(network))
        wait_for(lambda: shown.look() >= len(wanted), "the day to arrive", 120)
        wait_for(lambda: _handed_in(agents[-1], 2), "what is live to arrive", 90)
        wait_for(lambda: shown.look() and shown.looks[-1], "something live to be shown")
        agents[-1].stop()
        stored = fleet.all_judged()
        waiting = fleet.waits(network)
        said = said_to_be_spooled(agents)
        live = {cycle: looks for cycle, looks in stored.looks.items() if cycle not in spooled}
        ids = stored_ids(url)
        assert set(ids.values()) == {1}
        assert {cycle: sorted(ids) for cycle, ids in stored.looks.items() if cycle in spooled} == {
            cycle: sorted(ids) for cycle, ids in spooled.items()
        }
        # Of what was seen since, all that was spooled is stored, or waits in the spool.
        missing = sum(looks for cycle, looks in said.items() if cycle not in live)
        assert missing <= waiting
        assert all(len(live[cycle]) == looks for cycle, looks in said.items() if cycle in live)

        assert shown.backfilled[-1] == len(wanted) == sum(map(len, spooled.values()))
        wait_for(lambda: shown.look() and shown.looks[-1] == sum(map(len, live.values())), "counts")
        assert max(shown.looks) == shown.looks[-1]
        assert "blocked" not in shown.states
        assert "ok" in shown.states
        assert all(at == 0 or at >= shown.began - BEHIND / 2 for at in shown.reports)
        (event,) = fleet.blocks()
        assert event.state not in (EventState.SUSPECTED, EventState.CONFIRMED)
        told = cluster.execute(
            "SELECT state, count(*) FROM platform_verdict WHERE platform = 'x' AND "
            "vantage = 'ptcl' GROUP BY state ORDER BY state",
            database,
        )
        assert told == [("blocked", DAY), ("ok", len(live))]


def _handed_in(agent: Monitor, cycles: int) -> bool:
    """Whether the agent has handed in what it saw itself, so many cycles of it."""
    return len(cycles_of(agent)) >= cycles and bool(agent.said("batch delivered"))
