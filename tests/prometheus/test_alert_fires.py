"""From a publish to a firing alert, through the real server and a real Prometheus."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.events.event import EventState
from monitor.metrics.publisher import Publisher
from monitor.wording.local_time import local_text, utc_text
from tests.prometheus import live, world
from tests.prometheus.server import PrometheusServer, without_delays

pytestmark = pytest.mark.prometheus

RULES = Path(__file__).parents[2] / "dashboards" / "prometheus" / "shutwatch.rules.yml"
MINUTE = timedelta(minutes=1)


class Switch:
    """Publishes each second what is true at that second."""

    def __init__(self) -> None:
        self.blocking = False
        self.ended: datetime | None = None
        """When the last block was first seen open again."""

    def __call__(self, publisher: Publisher) -> None:
        """X blocked on two of three networks, or everything open."""
        if self.blocking:
            world.publish_x_blocked(publisher)
            return
        for event in publisher.snapshot.events.values():
            self.ended = publisher.now()
            over = msgspec.structs.replace(
                event,
                state=EventState.ENDED,
                end_earliest=self.ended - MINUTE,
                end_latest=self.ended,
                updated_at=self.ended,
            )
            publisher.show_ended([over])
        for point in (*world.FIELD, *world.CONTROL):
            publisher.publish(world.cycle(point, at=publisher.now()), [])


@pytest.fixture(scope="module")
def switch() -> Switch:
    """Nothing is blocked at first."""
    return Switch()


@pytest.fixture(scope="module")
def prometheus(
    switch: Switch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusServer]:
    """A Prometheus scraping the server each second, with the committed rules less their delays."""
    rules = without_delays(RULES, tmp_path_factory.mktemp("rules") / "rules.yml")
    publisher = world.publisher(now=live.utc_now)
    with (
        live.serving(publisher, switch) as address,
        PrometheusServer([address], [rules]) as running,
    ):
        yield running


def test_a_block_fires_and_its_end_resolves(prometheus: PrometheusServer, switch: Switch) -> None:
    """Nothing fires while all is open; a block fires naming its networks; its end resolves it."""
    prometheus.eventually(lambda: prometheus.value("count(shutwatch_platform_state)"))
    # Without its delay ShutwatchMonitorDown fires until the first scrape.
    prometheus.eventually(
        lambda: {alert.name for alert in prometheus.alerts()} == {"ShutwatchWatchdog"}
    )

    switch.blocking = True
    (alert,) = prometheus.eventually(
        lambda: prometheus.firing("ShutwatchPlatformBlockConfirmed", country="PK", platform="x")
    )
    assert alert.labels["severity"] == "critical"
    told = alert.annotations
    assert told["summary"] == "Blocked in Pakistan: X"
    assert told["networks"] == (
        "Nayatel (AS23674): DNS says the name does not exist (dns.nxdomain); "
        "PTCL (AS17557): connections are reset when the platform's name appears (tls.reset)"
    )
    assert told["extent"] == "2 of 3 networks tested"
    assert told["event_url"] == "https://watch.example.org/events/PK-x"
    assert " UTC, " in told["since"]
    assert " local time (UTC+05:00); last seen open " in told["since"]
    firing = {one.name for one in prometheus.alerts()}
    assert firing == {"ShutwatchWatchdog", "ShutwatchPlatformBlockConfirmed"}
    ratio = prometheus.value('country_platform:shutwatch_networks_blocked:ratio{platform="x"}')
    assert ratio == pytest.approx(2 / 3)

    switch.blocking = False
    (ended,) = prometheus.eventually(
        lambda: [
            one
            for one in prometheus.firing("ShutwatchPlatformBlockConfirmed", platform="x")
            if one.annotations["until"]
        ]
    )
    end = switch.ended
    assert end is not None
    assert ended.annotations["state"] == "ended"
    assert ended.annotations["until"] == (
        f"{utc_text(end)}, {local_text(end, 'PK')}; last seen blocked {utc_text(end - MINUTE)}"
    )
    assert "PTCL (AS17557): connections were reset" in ended.annotations["networks"]
    assert " local time (UTC+05:00); last seen open " in ended.annotations["since"]
    prometheus.eventually(lambda: not prometheus.firing("ShutwatchPlatformBlockConfirmed"))


def test_prometheus_scrapes_openmetrics_without_complaint(prometheus: PrometheusServer) -> None:
    """The target is up, without errors, and no sample was dropped as a duplicate."""
    (target,) = prometheus.api("targets", state="active")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    scraped = prometheus.value("scrape_samples_scraped")
    kept = prometheus.value("scrape_samples_post_metric_relabeling")
    assert scraped == kept
    assert scraped is not None
    assert scraped > 500
