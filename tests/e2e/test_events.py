"""What several cycles make together: events of a running monitor, on real packets.

One monitor watches X from two networks of Pakistan and one each of Brazil and Kenya. Each story has
a country of its own, or all of them, begins when all is calm, and leaves it so.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.events.event import Stretch
from tests.e2e.running import Monitor, running, stored_log, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

HASTY = "[events]\nfalse_suspected = 10\nfalse_confirmed = 1\nfalse_ends = 1000"
"""A budget of errors that lets strong evidence be believed within a few cycles."""
BRISK = {"retry_pause": "0.1s", "rate": 400}
"""With it the longest cycle, of which every look is repeated, ends before the next is due."""
X_NAMES = ["x.com", ".x.com", "twitter.com", ".twitter.com"]
X_HOSTS = [
    *("x.com", "twitter.com", "api.x.com", "api.twitter.com"),
    *("abs.twimg.com", "pbs.twimg.com", "video.twimg.com", "t.co"),
]
SOME = (6, 14)
"""Connections reset in a row, and let through. Nothing is looked at less than eight times (four
looks, two families) before it is given up, so something of it always gets through."""
MOST = (180, 20)
"""The same. A cycle in which none gets through makes 56 connections to names of X, and one in which
all do makes 8: there are always two of the first kind in a row, and then one of the other."""
PARTS = {"partial.flows", "partial.addresses", "family.tls"}
NETWORKS = {"ptcl": "PK", "jazz": "PK", "vivo": "BR", "safaricom": "KE"}
ASNS = (17557, 45669, 27699, 33771)
Row = dict[str, str]


class Watched(msgspec.Struct):
    """The monitor and the world it looks at."""

    lab: Lab
    config: Path
    monitor: Monitor

    def block(self, country: str) -> str:
        """The state of the block of X in a country; empty while there is none."""
        samples = self.monitor.samples("shutwatch_blocking_event_state", country=country)
        return next((dict(labels)["state"] for labels in samples), "")

    def circumstances(self) -> dict[str, Row]:
        """Active events that are no blocks: kind → labels."""
        samples = self.monitor.samples("shutwatch_circumstance_state")
        return {dict(labels)["kind"]: dict(labels) for labels in samples}

    def calm(self) -> bool:
        """Nothing is wrong, and nothing is thought so."""
        now = self.monitor.scrape()
        return (
            all(now.platform_states(network) == {"x": "ok"} for network in NETWORKS)
            and not now.samples("shutwatch_blocking_event_state")
            and not now.samples("shutwatch_circumstance_state")
        )

    def await_calm(self) -> None:
        """Wait for it."""
        wait_for(self.calm, "calm", 90)

    def mark(self) -> int:
        """How much was logged of events so far."""
        return len(self.monitor.said("event"))

    def lines(self, begun: int) -> list[Row]:
        """What was logged of events since that mark."""
        return self.monitor.said("event")[begun:]

    def changes(self, begun: int, country: str) -> list[str]:
        """What was logged of one country's, change by change."""
        return [line["change"] for line in self.lines(begun) if line["country"] == country]

    def await_confirmed(self, kind: str, **labels: str) -> None:
        """Wait until an event that is no block is confirmed; it must be the only one there is."""
        wait_for(
            lambda: self.circumstances().get(kind, {}).get("state") == "confirmed",
            f"{kind} to be confirmed",
        )
        shown = self.circumstances()
        assert list(shown) == [kind]
        assert labels.items() <= shown[kind].items()

    def end(self, begun: int, kind: str) -> None:
        """Let all be well again: nothing but this event was ever thought of, and it ends.

        Cycles of several vantages that end within milliseconds are recorded in either order. If
        the earlier one is recorded second, it is put in its place: the event is revised, which
        may already confirm or end it.
        """
        self.lab.reset()
        self.await_calm()
        lines = self.lines(begun)
        assert {line["kind"] for line in lines} == {kind}
        changes = [line["change"] for line in lines]
        steps = [change for change in ("opened", "confirmed", "ended") if change in changes]
        assert [change for change in changes if change != "revised"] == steps
        assert changes[0] == "opened"
        assert len(steps) == 3 or "revised" in changes

    def newest(self, kind: str) -> Row:
        """The last event of a kind as exported, which has ended within bounds."""
        row = self.export("events", kind=kind)[-1]
        assert row["state"] == "ended"
        assert row["onset_earliest"] < row["onset_latest"] <= row["end_earliest"]
        assert row["end_earliest"] < row["end_latest"]
        return row

    def export(self, what: str, **fields: str) -> list[Row]:
        """Rows of the CSV file, as a person would get it."""
        asked = ["export", "csv", what, "--config", str(self.config), "-o", "-"]
        done = self.lab.run(["shutwatch", *asked], check=True)
        rows = csv.DictReader(io.StringIO(done.stdout))
        return [row for row in rows if fields.items() <= row.items()]

    def judged(self, vantage: str, state: str) -> set[tuple[str, str]]:
        """Rules by which, and evidence with which, endpoints were judged so from there."""
        rows = self.export("verdicts", vantage=vantage, state=state)
        return {(row["rule_id"], row["evidence"]) for row in rows}

    def stretches(self, event: str) -> tuple[Stretch, ...]:
        """Of the one network that a stored event is about."""
        networks = stored_log(self.lab, event)[-1].snapshot.networks
        (affected,) = [network for network in networks if network.affected]
        return affected.stretches


@pytest.fixture(scope="module")
def running_everywhere() -> Iterator[Watched]:
    """The monitor, looking every few seconds from every network."""
    networks = [
        LabNetwork(name, asn, country)
        for (name, country), asn in zip(NETWORKS.items(), ASNS, strict=True)
    ]
    with Lab(networks, controls=2) as lab:
        config = write_config(lab, interval="4s", platforms=["x"], extra=HASTY, probe=BRISK)
        with running(lab, config) as monitor:
            yield Watched(lab=lab, config=config, monitor=monitor)
            assert monitor.stop() < 5
            assert not monitor.said("cycle failed")


@pytest.fixture
def watched(running_everywhere: Watched) -> Iterator[Watched]:
    """The monitor when all is calm."""
    running_everywhere.await_calm()
    yield running_everywhere
    running_everywhere.lab.reset()


def test_intermittent_block(watched: Watched) -> None:
    """With three connections in ten reset every cycle gets through, some only when trying again.

    So do people. The share is counted, and is an event: some connections are blocked.
    """
    begun = watched.mark()
    with watched.lab.network("safaricom").block(sni=X_NAMES, how="reset", turns=SOME) as rule:
        wait_for(lambda: watched.block("KE"), "an event", 120)
        assert rule.hits > 6
        (event,) = watched.export("events", kind="block", country="KE")
    assert (event["methods"], event["scope"]) == ("tls.reset", "some")
    assert 0.15 <= float(event["share"]) <= 0.6
    assert not {rule for rule, _ in watched.judged("safaricom", "blocked")} - {"tls.reset"}
    assert {rule for rule, _ in watched.judged("safaricom", "partial")} <= PARTS
    assert "opened" in watched.changes(begun, "KE")


def test_a_block_that_often_fails(watched: Watched) -> None:
    """Nine connections in ten are reset: cycles with a block and without make one event."""
    begun, seen = watched.mark(), len(watched.monitor.cycles("safaricom"))
    with watched.lab.network("safaricom").block(sni=X_NAMES, how="reset", turns=MOST):
        wait_for(lambda: watched.block("KE") == "confirmed", "confirmation", 120)
        wait_for(lambda: _fitful(watched.monitor.cycles("safaricom")[seen:]), "open cycles", 120)
        (event,) = watched.export("events", kind="block", country="KE", state="confirmed")
        assert event["methods"] == "tls.reset"
        changes = watched.changes(begun, "KE")
        assert changes.count("opened") + changes.count("reopened") == 1
    judged = watched.judged("safaricom", "blocked")
    assert {("tls.reset", "strong"), ("tls.reset", "conclusive")} & judged


def _fitful(cycles: list[Row]) -> bool:
    """Blocked, then open for some connections, then blocked again."""
    blocked = "".join("X" if "blocked" in cycle else "-" for cycle in cycles)
    return re.search("X-+X", blocked) is not None


def test_on_off_on(watched: Watched) -> None:
    """Blocked, unblocked, blocked again: one event, reopened, with both stretches of it."""
    begun, network = watched.mark(), watched.lab.network("ptcl")
    rule = network.block(sni=X_NAMES, how="reset")
    wait_for(lambda: watched.block("PK") == "confirmed", "confirmation", 60)
    rule.lift()
    wait_for(lambda: not watched.block("PK"), "the end", 60)
    (ended,) = watched.export("events", kind="block", country="PK")
    assert ended["state"] == "ended"
    assert ("tls.reset", "conclusive") in watched.judged("ptcl", "blocked")
    with network.block(sni=X_NAMES, how="reset"):
        wait_for(lambda: watched.block("PK") == "confirmed", "the block again", 60)
        (event,) = watched.export("events", kind="block", country="PK")
    assert event["event_id"] == ended["event_id"]
    assert event["onset_latest"] == ended["onset_latest"]
    assert not event["end_latest"]
    changes = watched.changes(begun, "PK")
    assert [changes.count(change) for change in ("opened", "reopened", "ended")] == [1, 1, 1]
    first, second = watched.stretches(event["event_id"])
    assert first.onset_earliest is not None
    assert first.end_earliest is not None
    assert first.end_latest is not None
    assert first.onset_earliest < first.onset_latest <= first.end_earliest < first.end_latest
    assert second.onset_earliest is not None
    assert first.end_latest <= second.onset_earliest < second.onset_latest
    assert second.end_latest is None


def test_technique_switch(watched: Watched) -> None:
    """Resets, then wrong answers from DNS: one event that names both, and never pauses."""
    begun, network = watched.mark(), watched.lab.network("vivo")
    resets = network.block(sni=X_NAMES, how="reset")
    wait_for(lambda: watched.block("BR") == "confirmed", "confirmation", 60)
    with network.block(dns=X_NAMES, how="nxdomain"):
        resets.lift()
        wait_for(lambda: "method_added" in watched.changes(begun, "BR"), "the other method", 60)
        (event,) = watched.export("events", kind="block", country="BR")
    assert event["methods"] == "tls.reset dns.nxdomain"
    assert event["state"] == "confirmed"
    assert watched.changes(begun, "BR") == ["opened", "confirmed", "method_added"]
    told = watched.judged("vivo", "blocked")
    assert {("tls.reset", "conclusive"), ("dns.nxdomain", "conclusive")} <= told


def test_shutdown(watched: Watched) -> None:
    """Every network of a country goes dark, and elsewhere all is well: a shutdown, and no block."""
    begun = watched.mark()
    watched.lab.network("ptcl").cut()
    watched.lab.network("jazz").cut()
    watched.await_confirmed("shutdown", country="PK")
    for network in ("ptcl", "jazz"):
        assert watched.monitor.platform_states(network) == {"x": "insufficient"}
    watched.end(begun, "shutdown")
    assert ("vantage.offline", "none") in watched.judged("ptcl", "insufficient")
    row = watched.newest("shutdown")
    assert (row["country"], row["platform"], row["vantage"]) == ("PK", "", "")
    assert row["networks_affected"] == "AS17557 AS45669"


def test_international_cut(watched: Watched) -> None:
    """Only domestic sites answer, on every network of a country: the way abroad is cut."""
    begun = watched.mark()
    watched.lab.network("ptcl").cut_foreign()
    watched.lab.network("jazz").cut_foreign()
    watched.await_confirmed("international_cut", country="PK")
    for network in ("ptcl", "jazz"):
        assert watched.monitor.platform_states(network) == {"x": "insufficient"}
    watched.end(begun, "international_cut")
    assert watched.newest("international_cut")["networks_affected"] == "AS17557 AS45669"


def test_one_silent_vantage(watched: Watched) -> None:
    """One network goes dark and its neighbour does not: that vantage is lost, and nothing more."""
    begun = watched.mark()
    watched.lab.network("ptcl").cut()
    watched.await_confirmed("vantage_silent", country="PK", vantage="ptcl")
    watched.end(begun, "vantage_silent")
    assert watched.newest("vantage_silent")["vantage"] == "ptcl"


def test_outage_of_a_platform(watched: Watched) -> None:
    """X fails for everybody, controls included: its own outage, in no country."""
    begun = watched.mark()
    watched.lab.internet.down(*X_HOSTS)
    watched.await_confirmed("outage", platform="x", country="")
    watched.end(begun, "outage")
    row = watched.newest("outage")
    assert (row["country"], row["platform"]) == ("", "x")


def test_controls_dark_as_well(watched: Watched) -> None:
    """Everything is lost at once, controls included: our own fault, and no country's."""
    begun = watched.mark()
    cuts: list[Callable[[], object]] = [watched.lab.network(name).cut for name in NETWORKS]
    cuts += [control.kill for control in watched.lab.controls]
    # At once, however busy the machine: else the first one is a vantage that fell silent alone.
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda one: one(), cuts))
    watched.await_confirmed("instrument", country="")
    watched.end(begun, "instrument")
