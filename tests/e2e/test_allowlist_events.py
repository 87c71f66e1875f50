"""What a running monitor makes of lists of sites, cut lines and dead resolvers, on real packets.

Two networks of Pakistan are cut down to a list while Brazil's is well; three of Iran lose their
lines abroad one after the other; one of Kenya has a resolver that answers nothing.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import Monitor, exported, running, wait_for
from tests.e2e.watching import BRISK, HASTY
from tests.lab import hosts
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

LISTED = {"pk1": "PK", "pk2": "PK", "br": "BR"}
CUT = {"ir1": "IR", "ir2": "IR", "ir3": "IR", "br": "BR"}
NAMELESS = {"ke1": "KE", "ke2": "KE", "br": "BR"}
"""Network → country for each kind of story. In Brazil all is well."""
GOOGLE = [host.name for host in hosts.ALL if host.group == "google"] + ["www.google.com"]
PLATFORMS = ["x", "youtube"]
Row = dict[str, str]


class Watched:
    """The monitor, and what it exported and logged."""

    def __init__(self, lab: Lab, config: Path, monitor: Monitor) -> None:
        self.lab, self.config, self.monitor = lab, config, monitor
        self._networks = [network.name for network in lab.networks]

    def states(self, kind: str, country: str) -> list[str]:
        """The state of the active event of that kind there, if any."""
        found = self.monitor.samples("shutwatch_circumstance_state", kind=kind, country=country)
        return [dict(labels)["state"] for labels in found]

    def await_state(self, kind: str, country: str, state: str) -> None:
        """Wait until the event has it."""
        wait_for(lambda: self.states(kind, country) == [state], f"{kind}: {state}", 120)

    def await_cycles(self, vantage: str, count: int) -> None:
        """Wait for so many more of a vantage."""
        seen = len(self.monitor.cycles(vantage))
        wait_for(lambda: len(self.monitor.cycles(vantage)) >= seen + count, "cycles", 120)

    def calm(self) -> bool:
        """Nothing is wrong anywhere."""
        now = self.monitor.scrape()
        every = all(
            now.platform_states(name) == dict.fromkeys(PLATFORMS, "ok") for name in self._networks
        )
        return every and not now.samples("shutwatch_circumstance_state")

    def events(self, country: str) -> list[Row]:
        """What was exported about a country."""
        return [row for row in exported(self.config, "events") if row["country"] == country]


@pytest.fixture(scope="module")
def monitoring(request: pytest.FixtureRequest) -> Iterator[Watched]:
    """One monitor for all stories of a kind, with the shipped references."""
    countries: dict[str, str] = request.param
    networks = [
        LabNetwork(name, 64500 + i, country) for i, (name, country) in enumerate(countries.items())
    ]
    with Lab(networks, controls=2) as lab:
        config = write_config(
            lab,
            interval="6s",
            platforms=PLATFORMS,
            extra=HASTY,
            probe=BRISK,
            few_references=False,
        )
        with running(lab, config) as monitor:
            yield Watched(lab, config, monitor)


@pytest.fixture
def watched(monitoring: Watched) -> Iterator[Watched]:
    """The monitor when all is calm."""
    wait_for(monitoring.calm, "calm", 120)
    yield monitoring
    monitoring.lab.reset()


@pytest.mark.parametrize("monitoring", [LISTED], indirect=True)
def test_networks_cut_down_to_a_list_are_an_event_of_their_own(watched: Watched) -> None:
    """Only Google and domestic sites pass on both networks of a country: told with what passes, on
    the page, in metrics and in the file; X is not singled out, and YouTube works."""
    for name in ("pk1", "pk2"):
        watched.lab.network(name).pass_only(GOOGLE)
    watched.await_state("allowlist", "PK", "confirmed")
    for name in ("pk1", "pk2"):
        assert watched.monitor.platform_states(name) == {"x": "insufficient", "youtube": "ok"}
    front = watched.lab.get(10100)["body"]
    assert "Only a list of sites answers in Pakistan, on 2 of 2 tested networks" in front
    watched.lab.reset()
    wait_for(lambda: not watched.states("allowlist", "PK"), "the end", 60)
    (event,) = watched.events("PK")
    assert (event["kind"], event["state"], event["methods"]) == (
        *("allowlist", "ended"),
        "shutdown.allowlist",
    )
    passing = event["passing"].split(" ")
    assert {"www.google.com", "www.dawn.com", "www.youtube.com"} <= set(passing)
    assert not {"www.wikipedia.org", "x.com"} & set(passing)
    assert event["onset_earliest"] < event["onset_latest"] <= event["end_earliest"]
    assert event["end_earliest"] < event["end_latest"]
    assert not watched.events("BR")


@pytest.mark.soak
@pytest.mark.parametrize("monitoring", [LISTED], indirect=True)
def test_one_network_on_a_list_stays_suspected(watched: Watched) -> None:
    """It may be a filter of its own, or a lost line beside caches."""
    before = len(watched.events("PK"))
    with watched.lab.network("pk1").pass_only(GOOGLE):
        watched.await_state("allowlist", "PK", "suspected")
        watched.await_cycles("pk1", 4)
        assert watched.states("allowlist", "PK") == ["suspected"]
    wait_for(lambda: not watched.states("allowlist", "PK"), "the end", 60)
    assert watched.events("PK")[before]["state"] == "dismissed"


@pytest.mark.soak
@pytest.mark.parametrize("monitoring", [CUT], indirect=True)
def test_lines_abroad_lost_one_after_the_other_are_a_cut_and_no_shutdown(watched: Watched) -> None:
    """The shipped domestic references of the country answer until the end."""
    for name in ("ir1", "ir2", "ir3"):
        watched.lab.network(name).cut_foreign()
        watched.await_cycles(name, 2)
    watched.await_state("international_cut", "IR", "confirmed")
    watched.lab.reset()
    wait_for(lambda: not watched.states("international_cut", "IR"), "the end", 60)
    (event,) = watched.events("IR")
    assert (event["kind"], event["state"]) == ("international_cut", "ended")


@pytest.mark.soak
@pytest.mark.parametrize("monitoring", [NAMELESS], indirect=True)
def test_a_resolver_that_answers_nothing_is_no_silent_vantage(watched: Watched) -> None:
    """One network's resolver is dead: its health says so, and nothing is an event. Where it is all
    networks', the country is shut down by names."""
    ke1, ke2 = (watched.lab.network(name) for name in ("ke1", "ke2"))
    every = [f".{top}" for top in {host.name.rpartition(".")[2] for host in hosts.ALL} | {"ke"}]
    ke1.block(dns=every, how="drop")

    def health() -> list[str]:
        return [row["rule_id"] for row in _health(watched, "ke1")]

    wait_for(lambda: "vantage.resolver_down" in health(), "the state", 90)
    watched.await_cycles("ke1", 4)
    assert not watched.events("KE")
    ke2.block(dns=every, how="drop")
    watched.await_state("shutdown", "KE", "confirmed")
    (event,) = watched.events("KE")
    assert event["methods"] == "shutdown.no_names"
    front = watched.lab.get(10100)["body"]
    assert "In Kenya no name resolves on any tested network" in front


def _health(watched: Watched, vantage: str) -> list[Row]:
    rows: list[Row] = json.loads(watched.lab.get(10100, "/api/v1/vantages")["body"])["data"]
    return [row for row in rows if row["vantage"] == vantage]
