"""What decides nothing is no coverage: results of a vantage in quarantine, and a platform that
fails at the controls too. From a publish to rules and dashboards, through a real Prometheus."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.analysis.verdict import State
from monitor.metrics.publisher import Publisher
from tests.prometheus import live, world
from tests.prometheus.boards import expressions, filled
from tests.prometheus.server import PrometheusServer, without_delays

pytestmark = pytest.mark.prometheus

RULES = Path(__file__).parents[2] / "dashboards" / "prometheus" / "shutwatch.rules.yml"
OVERVIEW, TIMELINE = "shutwatch-overview", "shutwatch-timeline"
PTCL = world.FIELD[0]
PLATFORMS = ("x", "facebook")


class Switch:
    """Publishes each second: the one field vantage finds X blocked, and Facebook as it is at the
    controls."""

    def __init__(self) -> None:
        self.facebook = State.OK
        self.quarantined = False

    def __call__(self, publisher: Publisher) -> None:
        accusations = {"x": world.TLS_RESET, "facebook": (self.facebook, "", "")}
        for point in (PTCL, *world.CONTROL):
            publisher.publish(world.cycle(point, PLATFORMS, accusations, at=publisher.now()), [])
        publisher.mark_outliers("PK", {}, lambda _: self.quarantined)


@pytest.fixture(scope="module")
def switch() -> Switch:
    """Everything counts at first."""
    return Switch()


@pytest.fixture(scope="module")
def prometheus(
    switch: Switch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusServer]:
    """A Prometheus scraping that world each second, with the committed rules less their delays."""
    rules = without_delays(RULES, tmp_path_factory.mktemp("rules") / "rules.yml")
    publisher = world.publisher((PTCL, *world.CONTROL), PLATFORMS, now=live.utc_now)
    with (
        live.serving(publisher, switch) as address,
        PrometheusServer([address], [rules]) as running,
    ):
        yield running


def shown(prometheus: PrometheusServer) -> dict[str, list[float]]:
    """What the panels about coverage show."""
    titles = {
        "Decided": OVERVIEW,
        "Blind spots": OVERVIEW,
        "Working field vantages": OVERVIEW,
        "Networks blocking": OVERVIEW,
        "Events": TIMELINE,
    }
    return {
        title: sorted(one.value for one in prometheus.query(filled(expressions(board, title)["A"])))
        for title, board in titles.items()
    }


CANNOT_TELL, NO_EVENT = 0.0, 1.0


def test_what_decides_nothing_is_no_coverage(prometheus: PrometheusServer, switch: Switch) -> None:
    """While all counts, all is decided. Facebook down at the controls too is not; in quarantine,
    nothing is, and alerts say that nobody sees the country."""
    all_seen = {
        "Decided": [1],
        "Blind spots": [0],
        "Working field vantages": [1],
        "Networks blocking": [0, 1],
        "Events": [NO_EVENT, NO_EVENT],
    }
    prometheus.eventually(lambda: shown(prometheus) == all_seen)
    judged = "sum(country_platform:shutwatch_networks_judged:count)"
    prometheus.eventually(lambda: prometheus.value(judged) == 2)
    assert not prometheus.firing("ShutwatchCoverageInsufficient")

    switch.facebook = State.DOWN
    half_seen = {
        "Decided": [0.5],
        "Blind spots": [1],
        "Working field vantages": [1],
        "Networks blocking": [1],
        "Events": [CANNOT_TELL, NO_EVENT],
    }
    prometheus.eventually(lambda: shown(prometheus) == half_seen)
    prometheus.eventually(lambda: prometheus.value(judged) == 1)
    prometheus.eventually(lambda: prometheus.firing("ShutwatchCoverageInsufficient", country="PK"))
    assert not prometheus.firing("ShutwatchCountryUnseen")

    switch.quarantined = True
    nothing_seen = {
        "Decided": [],
        "Blind spots": [2],
        "Working field vantages": [0],
        "Networks blocking": [],
        "Events": [CANNOT_TELL, CANNOT_TELL],
    }
    prometheus.eventually(lambda: shown(prometheus) == nothing_seen)
    prometheus.eventually(lambda: prometheus.firing("ShutwatchCountryUnseen", country="PK"))
    assert prometheus.firing("ShutwatchCoverageInsufficient", country="PK")
