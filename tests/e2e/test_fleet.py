"""Agents in the field, collectors at home, PostgreSQL underneath: from packets to one message."""

from collections.abc import Iterator, Mapping

import pytest

from monitor.analysis.events.event import EventState
from storage.values.outbox import NoticeState
from tests.e2e.fleet import AGENTS, RECEIVER, Collector, Fleet, cycles_of, letters, wait_for_cycles
from tests.e2e.running import GONE, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.worlds.postgresql import Cluster

pytestmark = [pytest.mark.lab, pytest.mark.postgres, pytest.mark.timeout(900)]

NETWORKS = {"ptcl": 17557, "jazz": 45669, "zong": 59257}
AFFECTED = (17557, 45669)
X_NAMES = ["x.com", ".x.com", "twitter.com", ".twitter.com"]


@pytest.fixture(scope="module")
def pakistan() -> Iterator[Lab]:
    """Three networks of Pakistan and two controls."""
    with Lab([LabNetwork(name, asn) for name, asn in NETWORKS.items()], controls=2) as lab:
        yield lab


def shows(collector: Collector, wanted: Mapping[str, str]) -> None:
    """Wait until it says this of X, by vantage."""

    def told() -> bool:
        now = collector.scrape()
        return all(now.platform_states(name).get("x") == state for name, state in wanted.items())

    wait_for(told, f"{dict(wanted)}", 120)


def block_x(lab: Lab, *names: str) -> None:
    """X is cut off by its name on these networks."""
    for name in names:
        lab.network(name).block(sni=X_NAMES, how="reset")


def test_blocked_on_two_of_three_is_one_event(
    pakistan: Lab, cluster: Cluster, database: str
) -> None:
    """Three agents on three networks, one control, one collector: X blocked on two of them makes
    one event, which says so; nothing else is accused, and the third network is seen to be open."""
    pakistan.reset()
    with Fleet(pakistan, cluster.url(database), "one", ("x", "meta")) as fleet:
        fleet.enrol(pakistan.networks)
        collector = fleet.collector(1, AGENTS)
        agents = [fleet.agent(network) for network in pakistan.networks]
        shows(collector, dict.fromkeys(NETWORKS, "ok"))
        block_x(pakistan, "ptcl", "jazz")
        (event,) = wait_for(
            lambda: [e for e in fleet.blocks() if e.state is EventState.CONFIRMED], "the event", 120
        )
        wait_for_cycles(agents, 4)
        (event,) = fleet.blocks()
        assert (event.country, event.platform) == ("PK", "x")
        assert event.networks_affected == AFFECTED
        assert len(event.networks) == 3
        assert collector.platform_states("zong")["x"] == "ok"
        assert collector.leads()


def _told(fleet: Fleet) -> bool:
    return any(notice.state is NoticeState.SENT for notice in fleet.notices())


def test_a_collector_killed_in_the_middle_loses_nothing_and_tells_nobody_twice(
    pakistan: Lab, cluster: Cluster, database: str
) -> None:
    """Two collectors behind a plain TCP balancer; the one that leads is killed when it has told of
    the block. Every measurement that was spooled is stored once, as it was signed; the other one
    leads and goes on with the event; the newsroom hears of it once."""
    pakistan.reset()
    file = pakistan.directory / "letters"
    with Fleet(pakistan, cluster.url(database), "two") as fleet:
        fleet.enrol(pakistan.networks)
        fleet.program("tests.worlds.receiver", RECEIVER, file)
        fleet.program("tests.lab.balancer", AGENTS, AGENTS + 1, AGENTS + 2)
        both = [fleet.collector(number, AGENTS + number, told=True) for number in (1, 2)]
        agents = [fleet.agent(network) for network in pakistan.networks]
        (leader,) = wait_for(lambda: [one for one in both if one.leads()], "a leader", 60)
        (other,) = [one for one in both if one is not leader]
        shows(leader, dict.fromkeys(NETWORKS, "ok"))
        assert not other.leads()
        assert other.samples("shutwatch_platform_state") == {}
        block_x(pakistan, "ptcl", "jazz")
        wait_for(lambda: _told(fleet), "a message", 120)
        leader.kill()
        before = len(cycles_of(agents[0]))
        wait_for(other.leads, "the other one to lead", 30)
        wait_for_cycles(agents, before + 2)
        shows(other, {"ptcl": "blocked", "jazz": "blocked", "zong": "ok"})
        for agent in agents:
            agent.stop()
        spooled: dict[str, int] = {}
        for agent in agents:
            agent._reader.join(GONE)
            spooled |= cycles_of(agent)
        waiting = {network.name: fleet.waits(network) for network in pakistan.networks}
        stored = fleet.all_judged()
        assert len(spooled) >= 3 * before
        still = sum(waiting.values())
        handed = {cycle: looks for cycle, looks in spooled.items() if cycle in stored.handed}
        # What was not stored when the agents were stopped waits in their spools; so may a batch
        # that was, when they were stopped before they had its receipt.
        assert sum(spooled.values()) <= sum(handed.values()) + still
        assert {cycle: len(ids) for cycle, ids in stored.handed.items()} == handed
        for cycle, ids in stored.handed.items():
            assert sorted(stored.looks[cycle]) == sorted(ids)
            assert len(set(ids)) == len(ids)
        (event,) = fleet.blocks()
        assert event.networks_affected == AFFECTED
        # What a busy machine made of the block besides may be noted, as not worth telling.
        sent = [notice for notice in fleet.notices() if notice.state is NoticeState.SENT]
        assert len(sent) == 1
        assert [event.id in letter["message"] for letter in letters(file)] == [True]
