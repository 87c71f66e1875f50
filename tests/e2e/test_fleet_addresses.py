"""No address of an agent is in the database of a fleet, nor in a line of anybody's log."""

import sys
from collections.abc import Iterator
from functools import partial

import pytest

from tests.e2e.everything import found, needles
from tests.e2e.fleet import AGENTS, ROOT, Fleet, wait_for_cycles
from tests.e2e.hardship import BadLine, kill
from tests.e2e.running import GONE, Monitor, wait_for
from tests.lab.hosts import LabHost, Page, web_page
from tests.lab.lab import Lab
from tests.lab.narrows import Cut
from tests.lab.network import LabNetwork

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

NETWORKS = {"ptcl": 17557, "jazz": 45669}
SOURCES = {"ptcl": "127.77.31.11", "jazz": "127.77.31.12"}
"""From where each agent's connections reach the collector."""
STRANGER, PASSED_ON = "127.77.31.13", "203.0.113.77"
DEBUG = '[log]\nlevel = "debug"\n'


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two networks whose block pages tell people their own address."""
    plain = LabHost(name="plain.example", http={"": Page(body=web_page("Honest page of words"))})
    networks = [LabNetwork(name, asn) for name, asn in NETWORKS.items()]
    with Lab(networks, controls=1, more_hosts=[plain]) as made:
        yield made


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.soak),
        pytest.param("postgresql", marks=pytest.mark.postgres),
    ]
)
def url(request: pytest.FixtureRequest, lab: Lab) -> str:
    """Of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{lab.directory / 'addresses.db'}"
    cluster = request.getfixturevalue("cluster")
    found: str = cluster.url(request.getfixturevalue("database"))
    return found


def test_no_address_of_an_agent_is_kept_or_logged(lab: Lab, url: str) -> None:
    """Agents reach the collector from addresses of their own and are shown their own by what
    blocks them, a line is cut, a collector killed, and a stranger is refused in every way, who
    claims to pass on for others. Then every cell of every table, as it is, decoded and
    decompressed, and every line of the logs, at the level that tells most, hold no spelling of any
    of these addresses; those of platforms are found by the same search."""
    lab.reset()
    for network in lab.networks:
        network.page(["x.com", "plain.example"], echo=True)
    with Fleet(lab, url, url.partition(":")[0]) as fleet:
        fleet.enrol(lab.networks)
        lines = {}
        for number, (name, source) in enumerate(SOURCES.items(), 1):
            lines[name] = BadLine(fleet, AGENTS + number, AGENTS, source)
        lines["ptcl"].cut(Cut("up", 3000), Cut("answer", 3000))
        collectors = [fleet.collector(1, AGENTS, more=DEBUG)]
        wait_for(collectors[0].leads, "a leader")
        agents = [
            fleet.agent(network, AGENTS + number, more=DEBUG)
            for number, network in enumerate(lab.networks, 1)
        ]
        wait_for_cycles(agents, 2)
        argv = [sys.executable, "-m", "tests.e2e.nuisance", str(AGENTS), str(lab.ca)]
        asked = lab.run([*argv, STRANGER, PASSED_ON, fleet.sealing], env={"PYTHONPATH": str(ROOT)})
        assert asked.returncode == 0, asked.stderr
        assert set(map(int, asked.stdout.split())) >= {200, 400, 401, 404}
        wait_for(partial(agents[0].said, "batch delivered"), "a batch of each", 90)
        wait_for(partial(agents[1].said, "batch delivered"), "a batch of each", 90)
        kill(collectors[0].process)
        collectors.append(fleet.collector(2, AGENTS, more=DEBUG))
        before = [len(agent.said("batch delivered")) for agent in agents]
        for agent, count in zip(agents, before, strict=True):
            wait_for(partial(_more_than, agent, count), "it to go on", 90)
        for process in (*agents, *collectors[1:]):
            process.stop()
        addresses = {STRANGER, PASSED_ON, *SOURCES.values()}
        for network in lab.networks:
            addresses |= {network.source, network.source6}
        theirs = lab.internet.addresses["x.com"][0]
        places = found(url, {*addresses, theirs})
        assert {"measurement.observations", "batch.body"} <= places.pop(theirs)
        assert places == {}
        for process in (*agents, *collectors):
            process._reader.join(GONE)
            log = str(process.log).encode()
            # How much there is of one that was killed depends on when; what it began with, always.
            assert len(process.log) > 3
            assert not [one for each in addresses for one in needles(each) if one in log]


def _more_than(agent: Monitor, count: int) -> bool:
    return len(agent.said("batch delivered")) > count
