"""The story the project exists for, from packets to the alert and the file for the report."""

import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.running import PORT, PROMPT, Monitor, exported, running, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.prometheus.server import PrometheusServer
from tests.scenarios.story import once, write_config

pytestmark = [pytest.mark.lab, pytest.mark.prometheus, pytest.mark.timeout(900)]

RULES = Path(__file__).parents[2] / "dashboards/prometheus/shutwatch.rules.yml"
X_NAMES = ["x.com", ".x.com", "twitter.com", ".twitter.com"]
NETWORKS = ("ptcl", "jazz", "zong")
METHODS = {"ptcl": ("tls", "reset"), "jazz": ("tls", "timeout"), "zong": ("dns", "nxdomain")}

PLATFORMS = ["x", "instagram"]
"""X, and one of another owner, whom nobody may accuse."""

HASTY = "[events]\nfalse_suspected = 10\nfalse_confirmed = 1\nfalse_ends = 1000"
"""A budget of errors that lets strong evidence be believed within a few cycles; the usual one is
proven by simulation and by longer runs."""


@pytest.fixture(scope="module")
def pakistan() -> Iterator[Lab]:
    """Three networks of Pakistan and two controls."""
    asns = (17557, 45669, 59257)
    networks = [LabNetwork(name, asn) for name, asn in zip(NETWORKS, asns, strict=True)]
    with Lab(networks, controls=2) as lab:
        yield lab


def settled(monitor: Monitor, networks: tuple[str, ...]) -> bool:
    """Every platform ok on every network."""
    now = monitor.scrape()
    return all(
        (states := now.platform_states(network)) and set(states.values()) == {"ok"}
        for network in networks
    )


def test_pakistan(pakistan: Lab) -> None:
    """X reset on one network, dropped on another, denied by DNS on the third; later lifted.

    Within two cycles each network shows it with its own method, the alert fires, the event can be
    exported; nothing else is accused; after the end the event ends and the alert is gone.
    """
    lab = pakistan
    config = write_config(lab, interval="5s", platforms=PLATFORMS, extra=HASTY)
    with (
        running(lab, config) as monitor,
        PrometheusServer([f"127.0.0.1:{PORT}"], [RULES], enter=lab.enter) as prometheus,
    ):
        wait_for(lambda: settled(monitor, NETWORKS), "a quiet start", 40)
        before = {network: len(monitor.cycles(network)) for network in NETWORKS}
        rules = [
            lab.network("ptcl").block(sni=X_NAMES, how="reset"),
            lab.network("jazz").block(sni=X_NAMES, how="drop"),
            lab.network("zong").block(dns=X_NAMES, how="nxdomain"),
        ]
        for network in NETWORKS:
            _blocked_within_two_cycles(monitor, network, before[network])
        alerts = wait_for(
            lambda: [
                alert
                for alert in prometheus.alerts()
                if alert.name == "ShutwatchPlatformBlockConfirmed" and alert.state == "firing"
            ],
            "the alert",
        )
        assert [(a.labels["country"], a.labels["platform"]) for a in alerts] == [("PK", "x")]
        ratio = 'shutwatch_platform_blocked_networks_ratio{platform="x"}'
        wait_for(lambda: prometheus.value(ratio) == 1, "all networks in Prometheus")
        # Each network joins the event when its own evidence suffices.
        every = ["AS17557", "AS45669", "AS59257"]
        (event,) = wait_for(
            lambda: [
                e for e in exported(config, "events") if e["networks_affected"].split() == every
            ],
            "all networks in the event",
        )
        assert (event["country"], event["platform"], event["state"]) == ("PK", "x", "confirmed")
        assert set(event["methods"].split()) == {"tls.reset", "tls.timeout", "dns.nxdomain"}
        for network in NETWORKS:
            others = monitor.platform_states(network)
            del others["x"]
            assert set(others.values()) == {"ok"}

        for rule in rules:
            rule.lift()
        wait_for(lambda: settled(monitor, NETWORKS), "recovery", 120)
        wait_for(
            lambda: exported(config, "events")[0]["state"] == "ended", "the end of the event", 120
        )
        event, *more = exported(config, "events")
        assert [(one["platform"], one["state"], one["methods"]) for one in more] == []
        assert event["onset_earliest"] < event["onset_latest"] < event["end_earliest"]
        assert event["end_earliest"] < event["end_latest"]
        wait_for(
            lambda: (
                not any(monitor.samples("shutwatch_blocking_event_active", platform="x").values())
            ),
            "the event to be inactive",
        )
        assert monitor.stop() < PROMPT
        assert monitor.process.returncode == 0


def report_for_the_newspaper(lab: Lab, config: Path) -> None:
    """The report of the story says what happened, betrays no vantage, and cannot be changed."""
    out = lab.directory / "report.zip"
    since = (datetime.now(UTC) - timedelta(hours=12)).isoformat()
    asked = ["--country", "PK", "--platform", "x", "--since", since, "-o", str(out)]
    lab.run(["shutwatch", "report", *asked, "--config", str(config)], check=True, timeout=600)
    lab.run(["shutwatch", "verify", str(out)], check=True, timeout=300)
    with zipfile.ZipFile(out) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    page = files["report.html"].decode()
    assert "X was blocked in Pakistan" in page
    for told in ("AS17557", "AS45669", "AS59257", "tls.reset", "tls.timeout", "dns.nxdomain"):
        assert told in page
    looks = [json.loads(line) for line in files["data/measurements.jsonl"].splitlines()]
    assert {look["vantage"] for look in looks} == {"AS17557", "AS45669", "AS59257", "control"}
    # The vantages' own addresses in the lab.
    assert not [name for name, data in files.items() if b"198.51.100." in data]
    changed = out.read_bytes().replace(b"data/events.csv", b"data/events.csw", 1)
    out.write_bytes(changed)
    done = lab.run(["shutwatch", "verify", str(out)], timeout=300)
    assert (done.returncode, "data/events.csv" in done.stderr) == (3, True)


@pytest.mark.timeout(1200)
def test_the_report_of_pakistan(pakistan: Lab) -> None:
    """What can be handed to a newspaper of that story, from the database it left behind."""
    if not (pakistan.directory / "shutwatch.db").exists():
        test_pakistan(pakistan)
    report_for_the_newspaper(pakistan, write_config(pakistan, platforms=PLATFORMS, extra=HASTY))


def _blocked_within_two_cycles(monitor: Monitor, network: str, before: int) -> None:
    """A cycle that began after the block shows it, and so does the metric with its method.

    The cycle under way when the block begins may have passed X already, so it does not count.
    """
    wait_for(lambda: len(monitor.cycles(network)) >= before + 3, f"three cycles of {network}", 60)
    full = monitor.cycles(network)[before + 1 : before + 3]
    assert any(cycle.get("blocked") for cycle in full), full
    labels = {"vantage": network, "platform": "x"}

    def named() -> list[tuple[tuple[str, str], ...]]:
        now = monitor.scrape()
        states = now.samples("shutwatch_platform_state", state="blocked", **labels)
        methods = now.samples("shutwatch_platform_blocked_method_info", **labels)
        return list(methods) if list(states.values()) == [1] else []

    (method,) = wait_for(named, "the method")
    shown = dict(method)
    assert (shown["method"], shown["sub_method"]) == METHODS[network]


@pytest.mark.parametrize(
    ("names", "state", "functions"),
    [
        (["x.com"], "blocked", {"web": "blocked", "pictures": "ok", "links": "ok"}),
        (
            ["abs.twimg.com", "pbs.twimg.com", "video.twimg.com"],
            "degraded",
            {"web": "ok", "pictures": "blocked", "video": "blocked", "scripts": "blocked"},
        ),
    ],
)
def test_parts_of_a_platform(
    pakistan: Lab, names: list[str], state: str, functions: dict[str, str]
) -> None:
    """x.com alone is X blocked, whatever twitter.com does; media alone is degraded, and says so."""
    with pakistan.network("ptcl").block(sni=names, how="reset"):
        story = once(pakistan, platforms=["x"])
    verdict = story.platform("ptcl", "x")
    assert verdict["state"] == state
    assert {function: verdict["functions"][function] for function in functions} == functions
