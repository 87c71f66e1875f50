"""A database that is gone, disks that are full, certificates, lines that break: nothing that was
acknowledged is lost, every failure shows, and everything recovers by itself.

A sample on every run; `make soak` takes longer over it, and writes docs/soak-fleet.md.
"""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from storage.agent.spool import read_spool
from tests.e2e.fleet import AGENTS, NAME, Collector, Fleet, Stored, cycles_of
from tests.e2e.hardship import BadLine, Day, Disk, said_to_be_spooled, stored_ids, template_of
from tests.e2e.running import Monitor, wait_for
from tests.e2e.soak_fleet import Row, row, write
from tests.lab.certificates import authority, private
from tests.lab.lab import Lab
from tests.lab.narrows import Cut
from tests.lab.network import LabNetwork, Network
from tests.worlds.postgresql import DURABLE, Cluster

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

NETWORKS = {"ptcl": 17557, "jazz": 45669, "zong": 59257}
REJECTED, CUT_OFF = "shutwatch_ingest_rejected_total", "shutwatch_ingest_cut_off_total"
STORAGE_ERRORS = "shutwatch_storage_errors_total"
BATCHES, DROPPED = "shutwatch_ingest_batches_total", "shutwatch_agent_dropped_measurements_total"
FEWEST = ("meta",)
"""Nothing here depends on what is measured: this platform has two endpoints."""
FEW = 3
"""Cycles that may wait in a spool at any time."""
SLOW = 5_000.0
"""Bytes each second, so that what waits is not handed in before the trouble comes."""
PATIENCE = 150.0
"""Seconds for everything to be well again; waits between tries grow to a quarter of a minute."""


def make_lab() -> Lab:
    """Three networks, one control."""
    return Lab([LabNetwork(name, asn) for name, asn in NETWORKS.items()], controls=1)


Spooled = dict[str, list[str]]
"""Cycle → ids of its measurements."""


def spool(fleet: Fleet, networks: Sequence[Network], template: Path, count: int) -> Spooled:
    """Give the agent of each network so many cycles of earlier to hand in."""
    spooled: Spooled = {}
    for network in networks:
        fleet.write_agent(network)
        day = Day(fleet, network, template, count, time.time() - 1200.0)
        day.spool(random.Random(1))
        spooled |= day.spooled()
    return spooled


def acknowledged(agents: Sequence[Monitor]) -> set[str]:
    """Batches for which the agents had a receipt."""
    return {line["batch"] for agent in agents for line in agent.said("batch delivered")}


def complaints(agents: Sequence[Monitor]) -> set[str]:
    """Why the agents could not hand in, in their words."""
    return {line["reason"] for agent in agents for line in agent.said("nothing delivered")}


def wait_for_all(fleet: Fleet, networks: Sequence[Network], spooled: Spooled) -> None:
    """Until everything that was in the spools is stored."""
    spools = [fleet.folder / f"{network.name}.db" for network in networks]
    wait_for(lambda: all(map(_is_nearly_empty, spools)), "the spools to be empty", PATIENCE)
    wanted = {look for looks in spooled.values() for look in looks}
    wait_for(lambda: wanted <= stored_ids(fleet.reached()).keys(), "all to arrive", PATIENCE)


def _is_nearly_empty(spool: Path) -> bool:
    return read_spool(spool)[0].batches < FEW


def end(
    fleet: Fleet, networks: Sequence[Network], agents: Sequence[Monitor], *, inside: bool = False
) -> Stored:
    """Stop the agents; what is stored, which is checked: all that was acknowledged or said to be
    spooled is there, or waits in a spool, and nothing is there twice. `inside`: the spools can be
    seen in the lab alone."""
    for agent in agents:
        if agent.process.poll() is None:
            agent.stop()
    said = said_to_be_spooled(agents)
    waiting = sum(fleet.status(network, inside=inside)["spooled"] for network in networks)
    stored = fleet.all_judged()
    assert acknowledged(agents) <= stored.batches
    assert set(stored_ids(fleet.reached()).values()) == {1}
    missing = sum(looks for cycle, looks in said.items() if cycle not in stored.looks)
    assert missing <= waiting
    there = {cycle: looks for cycle, looks in said.items() if cycle in stored.looks}
    assert {cycle: len(stored.looks[cycle]) for cycle in there} == there
    return stored


def is_well(fleet: Fleet, network: Network, *, inside: bool = False) -> None:
    """Wait until the agent has nothing to complain of, and tells its host so; `inside`: its spool
    can be seen in the lab alone."""
    wait_for(
        lambda: fleet.status(network, inside=inside)["last_error"] is None,
        "it to be well",
        PATIENCE,
    )


def tells(fleet: Fleet, network: Network, what: str) -> None:
    """Wait until the agent tells its host of this trouble: it does so after it logged it."""

    def told() -> bool:
        trouble = fleet.status(network)["last_error"]
        return trouble is not None and trouble["what"].startswith(what)

    wait_for(told, f"it to tell its host: {what}")


# -- the database is gone ------------------------------------------------------------------------


def without_postgresql(lab: Lab, template: Path, seconds: float, cycles: int) -> Row:
    """PostgreSQL is stopped at once, in mid-batch, for so long."""
    cluster = Cluster(settings=DURABLE)

    def stop() -> None:
        cluster.stop(signal.SIGQUIT)

    return _without_storage(
        *(lab, template, cluster, "PostgreSQL stopped", seconds, cycles),
        away=stop,
        back=cluster.start,
        leads=False,
    )


def with_a_full_postgresql(lab: Lab, template: Path, seconds: float, cycles: int) -> Row:
    """No byte is free where PostgreSQL's data are, for so long."""
    disks = []

    def small(folder: Path, user: int) -> list[str]:
        disks.append(Disk(lab, folder, 300, f"uid={user}", "mode=700"))
        return [*lab.enter, "env", "--chdir=/"]

    cluster = Cluster(settings=(*DURABLE, "max_wal_size=64MB"), disk=small)
    return _without_storage(
        *(lab, template, cluster, "Disk of PostgreSQL full", seconds, cycles),
        away=disks[0].fill,
        back=disks[0].empty,
        leads=True,
    )


def _without_storage(
    lab: Lab,
    template: Path,
    cluster: Cluster,
    what: str,
    seconds: float,
    cycles: int,
    *,
    away: Callable[[], None],
    back: Callable[[], None],
    leads: bool,
) -> Row:
    """`leads`: a database that can be read is enough to go on leading."""
    try:
        cluster.start()
        database = cluster.url(cluster.new_database())
        with Fleet(lab, database, "fleet", FEWEST) as fleet:
            fleet.enrol(lab.networks)
            spooled = spool(fleet, lab.networks, template, cycles)
            line = BadLine(fleet, AGENTS, AGENTS + 1)
            line.be(rate=SLOW)
            collector = fleet.collector(1, AGENTS + 1)
            wait_for(collector.leads, "a leader")
            agents = [fleet.agent(network) for network in lab.networks]
            wait_for(lambda: collector.value(BATCHES) >= 2, "some batches")
            away()
            gone = time.monotonic()
            _shows_trouble(fleet, collector, agents)
            wait_for(lambda: collector.leads() is leads, "it to say whether it leads", PATIENCE)
            time.sleep(max(0.0, seconds - (time.monotonic() - gone)))
            lasted = time.monotonic() - gone
            back()
            returned = time.monotonic()
            line.be(rate=0.0)
            wait_for(collector.leads, "it to lead again", PATIENCE)
            wait_for_all(fleet, lab.networks, spooled)
            recovered = time.monotonic() - returned
            for network in lab.networks:
                is_well(fleet, network)
            shown = _shown(collector, f'{REJECTED}{{reason="storage"}}', STORAGE_ERRORS)
            stored = end(fleet, lab.networks, agents)
            return row(what, lasted, recovered, shown, stored, agents)
    finally:
        cluster.remove()


def _shows_trouble(fleet: Fleet, collector: Collector, agents: Sequence[Monitor]) -> None:
    """Wait until everybody says that the database takes nothing, with something left to hand in."""
    wait_for(lambda: collector.value(REJECTED, reason="storage"), "a refusal", PATIENCE)
    wait_for(lambda: collector.value(STORAGE_ERRORS), "what its own control saw", PATIENCE)
    wait_for(lambda: any("storage" in why for why in complaints(agents)), "complaints", PATIENCE)
    assert fleet.status(fleet.lab.networks[0])["spooled"] > 0


def _shown(collector: Collector, *metrics: str) -> dict[str, float]:
    """Some metrics, as they are."""
    found = {}
    for metric in metrics:
        name, _, reason = metric.removesuffix('"}').partition('{reason="')
        found[metric] = collector.value(name, **({"reason": reason} if reason else {}))
    return found


# -- disks are full ------------------------------------------------------------------------------


def with_a_full_disk(lab: Lab, template: Path, seconds: float, cycles: int) -> Row:
    """No byte is free where the collector's SQLite database is, for so long."""
    name, (network, *_) = f"full-{seconds:.0f}", lab.networks
    copy = lab.directory / f"{name}.db"
    file = lab.directory / name / "disk" / "shutwatch.db"

    def copied() -> str:
        disk.copy("shutwatch.db", copy)
        return f"sqlite:///{copy}"

    with Fleet(lab, f"sqlite:///{file}", name, FEWEST) as fleet:
        # Nobody outside the lab sees the disk: what is read, or written at first, is a copy.
        fleet.reached = lambda: f"sqlite:///{copy}"
        fleet.enrol([network])
        file.parent.mkdir()
        disk = Disk(lab, file.parent, 64)
        lab.run(["cp", str(copy), str(file)], check=True)
        fleet.reached = copied
        spooled = spool(fleet, [network], template, cycles)
        line = BadLine(fleet, AGENTS, AGENTS + 1)
        line.be(rate=SLOW)
        collector = fleet.collector(1, AGENTS + 1)
        wait_for(collector.leads, "a leader")
        agents = [fleet.agent(network)]
        wait_for(lambda: collector.value(BATCHES) >= 1, "a batch")
        disk.fill()
        filled = time.monotonic()
        _shows_trouble(fleet, collector, agents)
        tells(fleet, network, "storage")
        time.sleep(max(0.0, seconds - (time.monotonic() - filled)))
        full = time.monotonic() - filled
        disk.empty()
        emptied = time.monotonic()
        line.be(rate=0.0)
        wait_for_all(fleet, [network], spooled)
        recovered = time.monotonic() - emptied
        is_well(fleet, network)
        assert collector.leads()
        shown = _shown(collector, f'{REJECTED}{{reason="storage"}}', STORAGE_ERRORS)
        stored = end(fleet, [network], agents)
        return row("Disk of SQLite full", full, recovered, shown, stored, agents)


def with_a_full_agent(lab: Lab, cycles: int) -> Row:
    """No byte is free where an agent's spool is, for so many cycles, while it has no line."""
    name, (network, *_) = f"spool-{cycles}", lab.networks
    with Fleet(lab, f"sqlite:///{lab.directory / name}.db", name, FEWEST) as fleet:
        folder = fleet.folder / "disk"
        folder.mkdir()
        disk = Disk(lab, folder, 16)
        fleet.enrol([network])
        line = BadLine(fleet, AGENTS, AGENTS + 1)
        line.be(open=False)
        collector = fleet.collector(1, AGENTS + 1)
        agents = [fleet.agent(network, spool="disk/spool")]
        (agent,) = agents
        wait_for(lambda: cycles_of(agent), "a cycle")
        disk.fill()
        filled = time.monotonic()
        lost = "cycle given up, the spool stores nothing"
        wait_for(lambda: len(agent.said(lost)) >= cycles, "cycles that are lost", 60 + 15 * cycles)
        assert fleet.status(network, inside=True)["running"]
        disk.empty()
        full, emptied, before = time.monotonic() - filled, time.monotonic(), len(cycles_of(agent))
        line.be(open=True)
        wait_for(lambda: len(cycles_of(agent)) >= before + 2, "cycles that are kept", 60)
        # The longer it had no line, the longer it may wait before it tries again.
        told_within = PATIENCE + 8 * full
        wait_for(lambda: collector.value(DROPPED, vantage="ptcl"), "it to be told", told_within)
        recovered = time.monotonic() - emptied
        is_well(fleet, network, inside=True)
        told = fleet.status(network, inside=True)["dropped"]
        given_up = sum(line["measurements"] for line in agent.said(lost))
        assert told == given_up == collector.value(DROPPED, vantage="ptcl")
        shown = _shown(collector, DROPPED)
        stored = end(fleet, [network], agents, inside=True)
        return row("Disk of an agent full", full, recovered, shown, stored, agents)


# -- certificates, and lines that break ----------------------------------------------------------


def with_other_certificates(lab: Lab, template: Path) -> Row:
    """Lines are cut in a batch and in a receipt, then the collector comes back with a certificate
    nobody trusts, and with another one that is trusted."""
    network = lab.networks[0]
    with Fleet(lab, f"sqlite:///{lab.directory / 'cut.db'}", "cut", FEWEST) as fleet:
        fleet.enrol([network])
        spooled = spool(fleet, [network], template, 30)
        line = BadLine(fleet, AGENTS, AGENTS + 1)
        line.be(cuts=(Cut("up", 3000), Cut("answer", 3000), Cut("up", 3000)))
        collector = fleet.collector(1, AGENTS + 1)
        wait_for(collector.leads, "a leader")
        agent = fleet.agent(network)
        wait_for_all(fleet, [network], spooled)
        wait_for(
            lambda: agent.said("batch delivered", known=True),
            "what was stored to be known",
            PATIENCE,
        )
        is_well(fleet, network)
        assert any("the connection broke" in why for why in complaints([agent]))
        assert collector.value(CUT_OFF) >= 1
        shown = _shown(collector, CUT_OFF)

        first = (fleet.folder / "collector.pem").read_text()
        collector.stop()
        (fleet.folder / "collector.pem").write_text(private(NAME))
        collector = fleet.collector(1, AGENTS + 1)
        began = time.monotonic()
        untrusted = "an untrusted certificate"
        wait_for(lambda: any(why.startswith(untrusted) for why in complaints([agent])), "a no", 60)
        tells(fleet, network, untrusted)
        before = len(agent.said("batch delivered"))
        collector.stop()
        made = authority().issue_cert(NAME).private_key_and_cert_chain_pem.bytes().decode()
        assert made != first
        (fleet.folder / "collector.pem").write_text(made)
        collector = fleet.collector(1, AGENTS + 1)
        back = time.monotonic()
        wait_for(
            lambda: len(agent.said("batch delivered")) > before, "it to be trusted again", PATIENCE
        )
        recovered = time.monotonic() - back
        is_well(fleet, network)
        stored = end(fleet, [network], [agent])
        return row("Lines cut, certificates", back - began, recovered, shown, stored, [agent])


# -- all at once, each in a lab of its own -------------------------------------------------------

Story = Callable[[Lab, Path], Row]
SAMPLE: Mapping[str, Story] = {
    "postgresql": lambda lab, template: without_postgresql(lab, template, 10.0, 30),
    "disk": lambda lab, template: with_a_full_disk(lab, template, 3.0, 40),
    "spool": lambda lab, _: with_a_full_agent(lab, 2),
    "lines": with_other_certificates,
}
SOAKED: Mapping[str, Story] = {
    "postgresql": lambda lab, template: without_postgresql(lab, template, 120.0, 150),
    "postgresql-disk": lambda lab, template: with_a_full_postgresql(lab, template, 60.0, 150),
    "disk": lambda lab, template: with_a_full_disk(lab, template, 60.0, 150),
    "spool": lambda lab, _: with_a_full_agent(lab, 10),
    "lines": with_other_certificates,
}


@contextmanager
def under_way(stories: Mapping[str, Story], folder: Path) -> Iterator[dict[str, Future[Row]]]:
    """All of them side by side, since they mostly wait."""
    template = folder / "template.db"
    starting = threading.Lock()
    with ExitStack() as first, ThreadPoolExecutor(len(stories)) as pool:
        # One after the other: the first makes the authority that all of them trust.
        lab = first.enter_context(make_lab())
        with Fleet(lab, f"sqlite:///{lab.directory}/none.db", "template", FEWEST) as fleet:
            fleet.enrol(lab.networks[:1])
            Path(template_of(fleet, lab.networks[0], AGENTS)).rename(template)
            (fleet.folder / "ptcl-template.db-wal").rename(f"{template}-wal")
            (fleet.folder / "orders.pem").rename(folder / "orders.pem")  # what it was sealed to

        def run(story: Story) -> Row:
            with ExitStack() as stack:
                with starting:
                    lab = stack.enter_context(make_lab())
                return story(lab, template)

        yield {name: pool.submit(run, story) for name, story in stories.items()}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Row]]]:
    """The short forms."""
    with under_way(SAMPLE, tmp_path_factory.mktemp("sample")) as found:
        yield found


Sample = dict[str, Future[Row]]


@pytest.mark.postgres
def test_postgresql_may_go_away_for_a_while(sample: Sample) -> None:
    """Stopped without a word while three agents hand in: refusals and complaints say so, the
    collector leads no more; back again, everything arrives once, by itself."""
    assert sample["postgresql"].result().acknowledged > 2


def test_the_collectors_disk_may_be_full(sample: Sample) -> None:
    """With no byte free beside SQLite's file the collector refuses and says why; with room again
    everything arrives once, by itself."""
    assert sample["disk"].result().acknowledged > 1


def test_an_agents_disk_may_be_full(sample: Sample) -> None:
    """With no byte free beside the spool what is seen is given up and counted, to the look; with
    room again the next cycles are kept, and the collector shows how much was lost."""
    assert sample["spool"].result().shown[DROPPED] > 0


def test_lines_may_break_and_certificates_change(sample: Sample) -> None:
    """Cut in mid-batch it is sent again, and cut before the receipt it is known again; while the
    certificate is a stranger's nothing is handed in, with another good one everything goes on."""
    assert sample["lines"].result().shown[CUT_OFF] > 0


@pytest.mark.soak
@pytest.mark.postgres
@pytest.mark.timeout(0)
def test_all_of_it_for_longer(tmp_path: Path) -> None:
    """PostgreSQL is away for two minutes, disks are full for one, lines break; all recovers."""
    with under_way(SOAKED, tmp_path) as found:
        rows = [one.result() for one in found.values()]
    write(rows)
